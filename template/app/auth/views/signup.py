"""Signing up, and confirming the address."""

import secrets
from hmac import compare_digest

from flask import flash, redirect, render_template, request, session
from flask_login import current_user

from app.access import public
from app.auth import links, mails, passwords, people, returning, sessions, throttles
from app.auth.forms import AddressForm, PasswordForm, SignUpForm
from app.auth.views import bp
from app.db import db
from app.jobs import later
from app.tenancy import root_url


@bp.route("/signup", methods=["GET", "POST"])
@public
@throttles.letters_by_address
@throttles.letters_by_account
def signup():
    if current_user.is_authenticated:
        return redirect(root_url("auth.tenants"))
    form = SignUpForm()
    if form.validate_on_submit():
        session["signing_up"] = {"email": form.email.data, "at": secrets.token_urlsafe(16)}
        people.sign_up(
            form.name.data,
            form.email.data,
            form.new_password.data,
            at=session["signing_up"]["at"],
        )
        db.session.commit()
        return redirect(root_url("auth.sent"))
    return render_template("auth/signup.html", form=form), 422 if form.errors else 200


@bp.get("/signup/sent")
@public
def sent():
    """What comes next: the e-mail."""
    if "signing_up" not in session:
        return redirect(root_url("auth.signup"))
    return render_template("auth/sent.html", email=session["signing_up"]["email"])


@bp.route("/confirm", methods=["GET", "POST"])
@public
@throttles.links_by_address
def confirm():
    """Confirm with a button: opening the link alone, as mail scanners do, changes nothing.

    Where the sign-up happened the button is enough. Elsewhere the password is asked for: else
    somebody could sign up with your address, and you'd make the account real for them.
    """
    user, facts = links.CONFIRM.open(request.args.get("token", ""))
    form = PasswordForm()
    if signed_up_here(facts["at"]):
        del form.password
    if form.validate_on_submit():
        if not form.password or passwords.is_right(user.password_hash, form.password.data):
            people.confirm(user)
            sessions.start(user)
            db.session.commit()
            flash("Your address is confirmed. Welcome!", "success")
            return redirect(returning.after_log_in(user))
        form.password.errors = ["This isn't the password that was chosen at the sign-up."]
    status = 422 if form.errors else 200
    return render_template("auth/confirm.html", form=form, email=user.email), status


def signed_up_here(at: str) -> bool:
    here = session.get("signing_up", {}).get("at", "")
    return bool(at) and compare_digest(at, here)


@bp.route("/confirm/again", methods=["GET", "POST"])
@public
@throttles.letters_by_address
@throttles.letters_by_account
def confirm_again():
    """Ask for another link. The answer is the same whether or not the address waits for one."""
    form = AddressForm(email=request.args.get("email", ""))
    if form.validate_on_submit():
        later(mails.send_confirmation_again, form.email.data)
        db.session.commit()
        flash("If this address waits for its confirmation, a new link is on its way.", "info")
        return redirect(root_url("auth.login"))
    return render_template("auth/confirm_again.html", form=form), 422 if form.errors else 200
