"""The style guide: every piece that pages are made of, on one page, while developing."""

from datetime import timedelta

from flask import Blueprint, Flask, flash, render_template, request
from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    DateField,
    EmailField,
    PasswordField,
    RadioField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.fields import SelectChoice
from wtforms.validators import DataRequired, Email, Optional

from app.access import public
from app.db import now

ROLES = [SelectChoice("owner", "Owner"), SelectChoice("member", "Member")]

bp = Blueprint("styleguide", __name__)


def init_app(app: Flask) -> None:
    if not app.config["SETTINGS"].in_production:
        app.register_blueprint(bp)


class Sample(FlaskForm):
    """One field of each kind."""

    name = StringField("Name", validators=[DataRequired("Give it a name.")])
    email = EmailField(
        "E-mail address", validators=[DataRequired(), Email("That isn't an address.")]
    )
    password = PasswordField("Password", validators=[Optional()])
    starts = DateField("Starts on", validators=[Optional()])
    plan = SelectField("Plan", choices=[SelectChoice("free", "Free"), SelectChoice("pro", "Pro")])
    notes = TextAreaField("Notes")
    role = RadioField("Role", choices=ROLES, default="member")
    agree = BooleanField("Send me news", default=True)


@bp.route("/styleguide", methods=["GET", "POST"])
@public
def show():
    form = Sample()
    form.validate_on_submit()
    if "flash" in request.args:
        flash("It worked.", "success")
        flash("It did not work.", "error")
        flash("It may interest you.", "info")
    today = now()
    days = [today.date() - timedelta(days=29 - day) for day in range(30)]
    return render_template(
        "styleguide.html",
        form=form,
        now=today,
        by_day=[(day, (number * 7) % 13 + number) for number, day in enumerate(days)],
        by_name=[("project created", 34), ("report built", 21), ("member invited", 8), ("note", 0)],
    )
