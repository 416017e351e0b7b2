"""Logging in at one's company: there, back, and the connection with an account that's here."""

from hmac import compare_digest

from flask import flash, redirect, render_template, request, session

from app.access import login_required, public
from app.auth import people, returning, throttles
from app.auth import sessions as signing
from app.auth.forms import AcceptForm
from app.auth.identity import hash_of
from app.db import db
from app.limits import limiter
from app.stages.hardened.signin import sessions
from app.stages.hardened.signin import sso as kept
from app.stages.hardened.signin.blueprint import bp
from app.stages.hardened.signin.rules import Proof
from app.tenancy import root_url, tenant_url

by_address = limiter.shared_limit("30 per minute", scope="sso")


@bp.get("/login/sso")
@public
def sso():
    """Which workspace? The link that follows is the same whether or not there is such a one."""
    slug = request.args.get("workspace", "").strip().lower()
    target = request.args.get("next", "")
    return render_template("signin/sso.html", slug=slug[:40], next=target)


@bp.get("/login/sso/<slug>")
@public
@by_address
def begin_sso(slug: str):
    """Send somebody to the workspace's provider. The flow belongs to this browser."""
    where, state = kept.begin(slug, request.args.get("next", ""))
    session["sso"] = hash_of(state)
    db.session.commit()
    return redirect(where)


@bp.get("/login/sso/callback")
@public
@by_address
def sso_callback():
    """Back from the provider."""
    state, mine = request.args.get("state", ""), session.pop("sso", "")
    if not mine or not compare_digest(mine, hash_of(state)):
        raise kept.AnotherLogIn("This browser didn't ask for it. Begin again.")
    flow = kept.asked(state)
    db.session.commit()  # Used up, whatever comes of it.
    if request.args.get("error") or not request.args.get("code"):
        flash("Your company's provider didn't log you in.", "error")
        return redirect(root_url("auth.login"))
    found, person = kept.person_of(flow, request.args["code"], request.args.get("iss", ""))
    user = kept.let_in(found, person)
    if user is None:
        key = kept.wait_for_owner_of(found, person)
        db.session.commit()
        flash("You have an account here. Log in with it once, then your company's will do.", "info")
        return redirect(root_url("auth.login", next=root_url("signin.connect_sso", key=key)))
    sessions.proved_by(Proof("sso", sso_tenant_id=found.tenant_id))
    signing.start(user)
    people.tell_of_log_in(user)
    db.session.commit()
    return redirect(where_to(found.organisation.slug, flow["target"]))


def where_to(slug: str, target: str) -> str:
    """Into the workspace: the session opens no other."""
    inside = tenant_url(slug)
    return target if target.startswith(inside) and returning.is_ours(target) else inside


@bp.route("/login/sso/connection", methods=["GET", "POST"])
@login_required
@throttles.links_by_address
def connect_sso():
    """Connect one's account with what the company's provider said, with a button."""
    form = AcceptForm()
    if form.validate_on_submit():
        slug = kept.connect_oneself(request.args.get("key", ""))
        db.session.commit()
        flash("Your account is connected. From now on your company logs you in.", "success")
        return redirect(tenant_url(slug))
    return render_template("signin/connect.html", key=request.args.get("key", ""))
