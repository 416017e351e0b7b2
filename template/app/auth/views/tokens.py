"""One's own API tokens for the workspace."""

from uuid import UUID

from flask import flash, redirect, render_template, url_for
from flask_login import current_user

from app.access import requires
from app.auth import tokens as kept
from app.auth.forms import TokenForm
from app.auth.views import bp
from app.db import db


@bp.get("/settings/tokens")
@requires("tokens:write")
def tokens():
    return page(TokenForm())


def page(form: TokenForm, made: str = ""):
    return render_template(
        "auth/tokens.html", tokens=kept.of(current_user.id), form=form, made=made
    )


@bp.post("/settings/tokens")
@requires("tokens:write")
def make_token():
    """Make a token and show it, in this answer only: not in a URL, nor in the session."""
    form = TokenForm()
    if not form.validate_on_submit():
        return page(form), 422
    made = kept.make(form.name.data, current_user.id)
    db.session.commit()
    return page(TokenForm(formdata=None), made)


@bp.post("/settings/tokens/<uuid:token_id>/revocation")
@requires("tokens:write")
def revoke_token(token_id: UUID):
    kept.revoke(token_id, current_user.id)
    db.session.commit()
    flash("The token is revoked.", "success")
    return redirect(url_for("auth.tokens"))
