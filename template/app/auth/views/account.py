"""One's own account: name, address, password, sessions, and its end."""

from flask import flash, redirect, render_template, request
from flask_login import current_user

from app.access import login_required, public
from app.auth import passwords, people, sessions, throttles
from app.auth.forms import (
    AcceptForm,
    ChangeEmailForm,
    ChangePasswordForm,
    PasswordForm,
    ProfileForm,
)
from app.auth.links import NEW_EMAIL
from app.auth.models import User
from app.auth.views import bp
from app.db import db
from app.tenancy import root_url


def me() -> User:
    """The row of whoever is signed in."""
    return db.session.get_one(User, current_user.id)


def has_own_password(form: PasswordForm) -> bool:
    """Whether a form is right and holds the password of whoever is signed in."""
    if not form.validate_on_submit():
        return False
    if passwords.is_right(me().password_hash, form.password.data):
        return True
    form.password.errors = ["This isn't your password."]
    return False


@bp.route("/account", methods=["GET", "POST"])
@login_required
def account():
    form = ProfileForm(obj=current_user)
    if form.validate_on_submit():
        me().name = form.name.data
        db.session.commit()
        flash("Your name is changed.", "success")
        return redirect(root_url("auth.account"))
    return render_template("auth/account.html", form=form), 422 if form.errors else 200


@bp.route("/account/password", methods=["GET", "POST"])
@login_required
@throttles.passwords_by_person
def change_password():
    """Change the password: every other session ends, this one goes on."""
    form = ChangePasswordForm(current_user.email, current_user.name)
    if has_own_password(form):
        user = me()
        people.change_password(user, form.new_password.data)
        sessions.start(user)
        db.session.commit()
        flash("Your password is changed. Every other session has ended.", "success")
        return redirect(root_url("auth.account"))
    return render_template("auth/change_password.html", form=form), 422 if form.errors else 200


@bp.route("/account/email", methods=["GET", "POST"])
@login_required
@throttles.passwords_by_person
@throttles.letters_by_address
def change_email():
    """Ask for another address. It counts once its link is opened."""
    form = ChangeEmailForm()
    if has_own_password(form):
        people.ask_for_new_email(me(), form.email.data)
        db.session.commit()
        flash(f"Open the link that we've sent to {form.email.data}.", "info")
        return redirect(root_url("auth.account"))
    return render_template("auth/change_email.html", form=form), 422 if form.errors else 200


@bp.route("/account/email/confirmation", methods=["GET", "POST"])
@public
@throttles.links_by_address
def new_email():
    """Make the new address count, with a button; at any browser, since the link proves it."""
    user, facts = NEW_EMAIL.open(request.args.get("token", ""))
    form = AcceptForm()
    if form.validate_on_submit():
        goes_on = current_user.is_authenticated and current_user.id == user.id
        people.change_email(user, facts["email"])
        if goes_on:
            sessions.start(user)
        db.session.commit()
        flash(f"Your address is {user.email} now.", "success")
        return redirect(root_url("auth.account"))
    return render_template("auth/new_email.html", form=form, email=facts["email"])


@bp.post("/account/sessions/end")
@login_required
def log_out_everywhere():
    people.log_out_everywhere(me())
    db.session.commit()
    sessions.end()
    flash("You're logged out everywhere.", "info")
    return redirect(root_url("auth.login"))


@bp.route("/account/deletion", methods=["GET", "POST"])
@login_required
@throttles.passwords_by_person
def delete_account():
    form = PasswordForm()
    if has_own_password(form):
        people.delete(me())
        db.session.commit()
        sessions.end()
        flash("Your account is deleted.", "info")
        return redirect(root_url("pages.home"))
    return render_template("auth/delete_account.html", form=form), 422 if form.errors else 200
