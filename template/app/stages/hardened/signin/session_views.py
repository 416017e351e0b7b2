"""The page of one's sessions."""

from uuid import UUID

from flask import flash, redirect, render_template
from flask_login import current_user

from app.access import login_required
from app.auth import sessions as signing
from app.auth.views.account import me
from app.db import db
from app.stages.hardened.signin import agents
from app.stages.hardened.signin import sessions as kept
from app.stages.hardened.signin.blueprint import bp
from app.tenancy import root_url

WAYS = {"password": "Password", "passkey": "Passkey", "sso": "Single sign-on"}


@bp.get("/account/sessions")
@login_required
def sessions():
    return render_template(
        "signin/sessions.html",
        sessions=kept.of(me()),
        here=kept.this_row(),
        in_words=agents.in_words,
        ways=WAYS,
    )


@bp.post("/account/sessions/<uuid:session_id>/end")
@login_required
def end_session(session_id: UUID):
    """End one session. The one at this browser is logged out."""
    here = kept.this_row()
    kept.end(session_id, me())
    db.session.commit()
    if here and here.id == session_id:
        signing.end()
        flash("You're logged out.", "info")
        return redirect(root_url("auth.login"))
    flash("That session has ended.", "success")
    return redirect(root_url("signin.sessions"))


@bp.post("/account/sessions/others/end")
@login_required
def end_other_sessions():
    """End all but this one, which goes on under a new key."""
    user = me()
    kept.end_others(user)
    signing.start(user)
    db.session.commit()
    flash(f"Every other session of {current_user.email} has ended.", "success")
    return redirect(root_url("signin.sessions"))
