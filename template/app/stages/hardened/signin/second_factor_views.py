"""The second factor's pages: being asked for it, and setting it up."""

from flask import flash, redirect, render_template
from flask_login import current_user
from markupsafe import Markup
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from app.access import login_required, public
from app.auth import people, returning, throttles
from app.auth import sessions as signing
from app.auth.forms import PasswordForm
from app.auth.views.account import has_own_password, me
from app.db import db
from app.forms import Form
from app.limits import address, limiter
from app.stages.hardened.signin import second_factor, sessions
from app.stages.hardened.signin.blueprint import bp
from app.stages.hardened.signin.models import Totp
from app.stages.hardened.signin.rules import Proof
from app.tenancy import root_url

WRONG = "This code doesn't fit, or it was used already. Wait for the next one."


def by_person() -> str:
    """Whose second factor is tried: signed in, or halfway there."""
    if current_user.is_authenticated:
        return str(current_user.id)
    half = second_factor.halfway()
    return str(half[0].id) if half else address()


codes_by_person = limiter.shared_limit(
    "10 per 10 minutes", scope="second factor", key_func=by_person, methods=["POST"]
)


class CodeForm(Form):
    code = StringField(
        "Code",
        validators=[InputRequired("Enter the code."), Length(max=40)],
        render_kw={
            "autocomplete": "one-time-code",
            "autocapitalize": "none",
            "spellcheck": "false",
            "inputmode": "text",
        },
    )


@bp.route("/login/code", methods=["GET", "POST"])
@public
@throttles.log_in_by_address
@codes_by_person
def second():
    """After the password: the code, which completes the log-in."""
    half = second_factor.halfway()
    if half is None:
        flash("Please log in again: that took too long.", "info")
        return redirect(root_url("auth.login"))
    user, target = half
    form = CodeForm()
    if form.validate_on_submit():
        if used := second_factor.use(user, form.code.data):
            sessions.proved_by(Proof(strong=True))
            signing.start(user)
            people.tell_of_log_in(user)
            db.session.commit()
            tell_what_is_left(used)
            return redirect(returning.after_log_in(user, target))
        form.code.errors = [WRONG]
    return render_template("signin/second.html", form=form), 422 if form.errors else 200


def tell_what_is_left(used: str) -> None:
    if used == "recovery":
        left = second_factor.recovery_codes_left(current_user.id)
        flash(f"That recovery code is used up. You have {left} left.", "info")


@bp.get("/account/second-factor", endpoint="second_factor")
@login_required
def show_second_factor():
    return overview(CodeForm())


def overview(form: CodeForm):
    return render_template(
        "signin/second_factor.html",
        on=second_factor.totp_of(current_user.id),
        left=second_factor.recovery_codes_left(current_user.id),
        form=form,
    )


@bp.route("/account/second-factor/begin", methods=["GET", "POST"])
@login_required
@throttles.passwords_by_person
def begin_second_factor():
    """A new secret, once the password was right: else who finds a screen open could set it."""
    form = PasswordForm()
    if second_factor.totp_of(current_user.id):
        return redirect(root_url("signin.second_factor"))
    if has_own_password(form):
        second_factor.begin(me())
        db.session.commit()
        return redirect(root_url("signin.set_up_second_factor"))
    return render_template("signin/begin.html", form=form), 422 if form.errors else 200


@bp.route("/account/second-factor/setup", methods=["GET", "POST"])
@login_required
@codes_by_person
def set_up_second_factor():
    """The picture for the app, and the first code, from which on it counts."""
    user, form = me(), CodeForm()
    waiting = db.session.get(Totp, user.id)
    if waiting is None or waiting.confirmed_at:
        return redirect(root_url("signin.second_factor"))
    if form.validate_on_submit():
        if codes := second_factor.confirm(user, form.code.data):
            sessions.proved_by(Proof(strong=True))
            signing.start(user)  # What the session may do grows, so it gets another key.
            db.session.commit()
            return render_template("signin/recovery.html", codes=codes)
        form.code.errors = [WRONG]
    for_the_app = second_factor.address_of(user, waiting.secret)
    page = render_template(
        "signin/setup.html",
        form=form,
        secret=waiting.secret,
        picture=Markup(second_factor.picture(for_the_app)),  # noqa: S704  # Made of our own address.
    )
    return page, 422 if form.errors else 200


@bp.post("/account/second-factor/recovery")
@login_required
@codes_by_person
def renew_recovery_codes():
    """Ten new recovery codes, for a code; those from before are worth nothing."""
    form, user = CodeForm(), me()
    if form.validate_on_submit():
        if second_factor.use(user, form.code.data):
            codes = second_factor.new_recovery_codes(user.id)
            db.session.commit()
            return render_template("signin/recovery.html", codes=codes)
        form.code.errors = [WRONG]
    return overview(form), 422


@bp.post("/account/second-factor/end")
@login_required
@codes_by_person
def end_second_factor():
    """Turn it off, for a code."""
    form, user = CodeForm(), me()
    if form.validate_on_submit():
        if second_factor.use(user, form.code.data):
            second_factor.turn_off(user)
            db.session.commit()
            flash("Your second factor is off.", "info")
            return redirect(root_url("signin.second_factor"))
        form.code.errors = [WRONG]
    return overview(form), 422
