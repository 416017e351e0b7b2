"""Logging in and out."""

from flask import flash, redirect, render_template, request
from flask_login import current_user

from app.access import login_required, public
from app.auth import people, returning, sessions, throttles
from app.auth.forms import LogInForm
from app.auth.views import bp
from app.db import db
from app.tenancy import root_url


@bp.route("/login", methods=["GET", "POST"])
@public
@throttles.log_in_by_address
@throttles.log_in_by_account
def login():
    target = request.args.get("next", "")
    if current_user.is_authenticated:
        return redirect(target if returning.is_ours(target) else root_url("pages.home"))
    form = LogInForm()
    problem = ""
    if form.validate_on_submit():
        user = people.logging_in(form.email.data, form.password.data)
        if user:
            if more := sessions.more_is_asked(user, target):
                db.session.commit()
                return more
            sessions.start(user)
            people.tell_of_log_in(user)
            db.session.commit()
            return redirect(returning.after_log_in(user, target))
        problem = "This e-mail address and password don't fit."
    return render_template("auth/login.html", form=form, problem=problem, next=target), (
        422 if form.is_submitted() else 200
    )


@bp.post("/logout")
@login_required
def logout():
    sessions.end()
    flash("You're logged out.", "info")
    return redirect(root_url("auth.login"))
