"""The pages of passkeys, and what their script asks."""

from typing import Any
from uuid import UUID

from flask import flash, jsonify, redirect, render_template, request, send_from_directory
from sqlalchemy.exc import IntegrityError

from app.access import login_required, public
from app.auth import passwords, people, returning, throttles
from app.auth import sessions as signing
from app.auth.forms import PasswordForm, name_field
from app.auth.views.account import me
from app.db import db
from app.errors import NotAllowed
from app.forms import Form
from app.stages.hardened.signin import passkeys as kept
from app.stages.hardened.signin import sessions
from app.stages.hardened.signin.blueprint import bp
from app.stages.hardened.signin.rules import Proof
from app.tenancy import root_url


class NameForm(Form):
    name = name_field("Name", autocomplete="off")


class NewPasskeyForm(NameForm, PasswordForm):
    """A new passkey's name, and one's password: a screen left open must not be enough."""


class WrongPassword(NotAllowed):
    """Somebody at a browser that is signed in doesn't know the password."""


def sent() -> dict[str, Any]:
    """The JSON that the script sent; nothing where it's something else."""
    body = request.get_json(silent=True)
    return body if isinstance(body, dict) else {}


@bp.get("/login/passkey.js")
@public
def passkey_script():
    return send_from_directory(bp.root_path + "/static", "passkey.js", max_age=0)


@bp.get("/account/passkeys")
@login_required
def passkeys():
    return render_template(
        "signin/passkeys.html", passkeys=kept.of(me().id), form=NewPasskeyForm(formdata=None)
    )


@bp.post("/account/passkeys/options")
@login_required
@throttles.passwords_by_person
def ask_to_make_passkey():
    user = me()
    if not passwords.is_right(user.password_hash, str(sent().get("password", ""))):
        raise WrongPassword("This isn't your password.")
    options = kept.ask_to_make(user)
    db.session.commit()
    return jsonify(options)


@bp.post("/account/passkeys")
@login_required
def make_passkey():
    body = sent()
    name = NameForm(data={"name": str(body.get("name", ""))}).name.data
    try:
        kept.keep(me(), " ".join(name.split())[:80] or "Passkey", credential_in(body))
        db.session.commit()
    except kept.PasskeyRefused:
        db.session.commit()  # What was asked is used up.
        raise
    except IntegrityError:
        db.session.rollback()
        raise kept.PasskeyRefused("This passkey is known already.") from None
    flash("Your passkey is ready.", "success")
    return jsonify(next=root_url("signin.passkeys"))


def credential_in(body: dict[str, Any]) -> dict[str, Any]:
    found = body.get("credential")
    return found if isinstance(found, dict) else {}


@bp.post("/account/passkeys/<uuid:passkey_id>/name")
@login_required
def rename_passkey(passkey_id: UUID):
    row, form = kept.find(passkey_id, me().id), NameForm()
    if form.validate_on_submit():
        row.name = form.name.data
        db.session.commit()
        flash("The name is changed.", "success")
    else:
        flash(form.name.errors[0], "error")
    return redirect(root_url("signin.passkeys"))


@bp.post("/account/passkeys/<uuid:passkey_id>/removal")
@login_required
def remove_passkey(passkey_id: UUID):
    user = me()
    kept.remove(kept.find(passkey_id, user.id), user)
    db.session.commit()
    flash("The passkey is removed.", "success")
    return redirect(root_url("signin.passkeys"))


@bp.get("/login/passkey")
@public
def passkey_log_in():
    return render_template("signin/passkey_log_in.html", next=request.args.get("next", ""))


@bp.post("/login/passkey/options")
@public
@throttles.log_in_by_address
def ask_to_show_passkey():
    options = kept.ask_to_show()
    db.session.commit()
    return jsonify(options)


@bp.post("/login/passkey")
@public
@throttles.log_in_by_address
def show_passkey():
    """Log in with a passkey. What was asked is used up even if the answer is refused."""
    body = sent()
    try:
        user = kept.owner_of(credential_in(body))
    except kept.PasskeyRefused:
        db.session.commit()
        raise
    if not user.email_confirmed_at:
        raise kept.PasskeyRefused("Confirm your address first.")
    sessions.proved_by(Proof("passkey", strong=True))
    signing.start(user)
    people.tell_of_log_in(user)
    db.session.commit()
    return jsonify(next=returning.after_log_in(user, str(body.get("next", ""))))
