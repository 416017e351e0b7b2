"""A forgotten password: a link by e-mail, and a new one."""

from flask import flash, redirect, render_template, request

from app.access import public
from app.auth import links, mails, people, returning, sessions, throttles
from app.auth.forms import AddressForm, NewPasswordForm
from app.auth.views import bp
from app.db import db
from app.jobs import later
from app.tenancy import root_url


@bp.route("/forgot", methods=["GET", "POST"])
@public
@throttles.letters_by_address
@throttles.letters_by_account
def forgot():
    """Ask for a link. The answer is the same whether or not anybody has the address."""
    form = AddressForm()
    if form.validate_on_submit():
        later(mails.send_reset_link, form.email.data)
        db.session.commit()
        flash("If this address has an account, a link for a new password is on its way.", "info")
        return redirect(root_url("auth.login"))
    return render_template("auth/forgot.html", form=form), 422 if form.errors else 200


@bp.route("/reset", methods=["GET", "POST"])
@public
@throttles.links_by_address
def reset():
    """Choose a new password by a link; it also logs in."""
    user, _facts = links.RESET.open(request.args.get("token", ""))
    form = NewPasswordForm(user.email, user.name)
    if form.validate_on_submit():
        people.reset_password(user, form.new_password.data)
        more = sessions.more_is_asked(user)
        if not more:
            sessions.start(user)
        db.session.commit()
        flash("Your new password is set. Every other session has ended.", "success")
        if more:
            return more
        return redirect(returning.after_log_in(user))
    page = render_template("auth/reset.html", form=form, email=user.email)
    return page, 422 if form.errors else 200
