"""Auth's pages, a module for each noun."""

from importlib import import_module

from flask import Blueprint, Flask, current_app, redirect, render_template, request
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError

from app.access import access_of
from app.auth.links import LinkDoesNotWork
from app.errors import Refused, refuse
from app.tenancy import root_url, slug_in_url

bp = Blueprint("auth", __name__, template_folder="../templates")

NOUNS = (
    "account",
    "invitations",
    "members",
    "passwords",
    "sessions",
    "settings",
    "signup",
    "tenants",
    "tokens",
)


class DoneMeanwhile(Refused):
    """Two requests changed the same thing at the same moment; this one came second."""

    title = "Somebody was faster"


def init_app(app: Flask) -> None:
    for noun in NOUNS:
        import_module(f"{__name__}.{noun}")
    app.register_blueprint(bp)


@bp.before_request
def leave_the_tenant():
    """The log-in, the account and the like are the same in every tenant: they live outside."""
    if slug_in_url() and access_of(current_app, request.endpoint or "").kind != "permission":
        url = root_url(request.endpoint or "", **(request.view_args or {}))
        query = request.query_string.decode("ascii", "replace")
        return redirect(f"{url}?{query}" if query else url, 307)
    return None


@bp.errorhandler(LinkDoesNotWork)
def offer_a_new_link(refusal: LinkDoesNotWork):
    return render_template("auth/dead_link.html", refusal=refusal), refusal.status


@bp.errorhandler(IntegrityError)
@bp.errorhandler(StaleDataError)
def refuse_the_second(_error: Exception):
    return refuse(DoneMeanwhile("This was changed at the same moment. Go back and look again."))
