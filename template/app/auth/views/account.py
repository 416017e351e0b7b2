"""One's own account."""

from flask import flash, redirect, render_template
from flask_login import current_user

from app.access import login_required
from app.auth.forms import ProfileForm
from app.auth.models import User
from app.auth.views import bp
from app.db import db
from app.tenancy import root_url


def me() -> User:
    """The row of whoever is signed in."""
    return db.session.get_one(User, current_user.id)


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
