"""The pages of API keys: one's own, which take the place of auth's, and everybody's."""

from uuid import UUID

from flask import Flask, current_app, flash, redirect, render_template, url_for
from flask_login import current_user
from wtforms import IntegerField, RadioField, SelectMultipleField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import NumberRange, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from app.access import requires
from app.auth.forms import TokenForm
from app.db import db
from app.stages.hardened.signin import keys as kept
from app.stages.hardened.signin.blueprint import bp


class KeyForm(TokenForm):
    """A new key: what for, how far it reaches, and for how long."""

    reach = RadioField(
        "What may it do?",
        choices=[
            SelectChoice("all", "Everything that I may do"),
            SelectChoice("some", "Only what I choose here"),
        ],
        default="all",
    )
    scopes = SelectMultipleField(
        "Scopes", widget=ListWidget(prefix_label=False), option_widget=CheckboxInput()
    )
    days = IntegerField("Good for how many days?")

    def __init__(self, **kwargs):
        settings = current_app.config["SETTINGS"]
        super().__init__(**{"days": settings.api_key_days, **kwargs})
        most = settings.api_key_max_days
        self.days.validators = [NumberRange(1, most, f"Choose 1 to {most} days.")]
        titles = kept.permissions_at_hand()
        self.scopes.choices = [SelectChoice(name, title) for name, title in titles.items()]

    def validate_scopes(self, field: SelectMultipleField) -> None:
        if self.reach.data == "some" and not field.data:
            raise ValidationError("Choose at least one.")

    @property
    def chosen(self) -> list[str] | None:
        """The scopes, or none where the key may do everything."""
        return self.scopes.data if self.reach.data == "some" else None


def init_app(app: Flask) -> None:
    app.view_functions["auth.tokens"] = tokens
    app.view_functions["auth.make_token"] = make_token


@requires("tokens:write")
def tokens():
    return page(KeyForm())


def page(form: KeyForm, made: str = ""):
    return render_template("signin/keys.html", keys=kept.of(current_user.id), form=form, made=made)


@requires("tokens:write")
def make_token():
    """Make a key and show it, in this answer only: not in a URL, nor in the session."""
    form = KeyForm()
    if form.validate_on_submit():
        with form.attempt():
            made, _key = kept.make(form.name.data, form.chosen, form.days.data)
            db.session.commit()
            return page(KeyForm(formdata=None), made)
    return page(form), 422


@bp.get("/settings/keys")
@requires("keys:write")
def all_keys():
    """Everybody's keys for the workspace."""
    return render_template("signin/all_keys.html", keys=kept.of())


@bp.post("/settings/keys/<uuid:token_id>/revocation")
@requires("keys:write")
def end_key(token_id: UUID):
    kept.end(token_id)
    db.session.commit()
    flash("The key is revoked.", "success")
    return redirect(url_for("signin.all_keys"))
