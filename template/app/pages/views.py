"""The start page, and what browsers and robots ask for by themselves."""

from flask import Blueprint, Response, abort, current_app, redirect, render_template, url_for
from flask_login import current_user

from app.access import public
from app.pages.assets import asset
from app.pages.nav import nav
from app.tenancy import root_url, slug_in_url, tenant_or_none

# Search engines may find the front page; what lies behind the log-in is not for them.
ROBOTS = """\
User-agent: *
Disallow: /t/
Disallow: /api/
"""

bp = Blueprint("pages", __name__, template_folder="templates")


@bp.get("/")
@public
def home():
    """In a tenant its first page; outside, the tenants of who is signed in, or the front page."""
    if tenant_or_none():
        return redirect(url_for(nav()[0].endpoint))  # Every role may see something.
    if slug_in_url():
        return turn_away()
    if current_user.is_authenticated:
        return redirect(root_url("auth.tenants"))
    return render_template("home.html")


def turn_away():
    """A tenant that isn't one's own doesn't exist; signed out, it may be one's own."""
    if current_user.is_authenticated:
        abort(404)
    return current_app.login_manager.unauthorized()  # type: ignore[attr-defined]


@bp.get("/favicon.ico")
@public
def favicon():
    """Browsers ask here while they see no page, as when they show a file of the API."""
    return redirect(asset("favicon.svg"))


@bp.get("/robots.txt")
@public
def robots():
    return Response(ROBOTS, mimetype="text/plain")
