"""The page where a workspace's single sign-on is set."""

import re
from typing import Any

from flask import flash, redirect, render_template, url_for
from wtforms import BooleanField, PasswordField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length, Optional, ValidationError

from app.access import requires
from app.db import db
from app.forms import Form, stripped
from app.stages.hardened.signin import mapping
from app.stages.hardened.signin import sso as kept
from app.stages.hardened.signin.blueprint import bp
from app.stages.hardened.signin.fetching import ProviderRefused, refuse_address
from app.stages.hardened.signin.models import Sso
from app.tenancy import current_tenant, root_url

DOMAIN = re.compile(r"([a-z0-9-]+\.)+[a-z0-9-]{2,}")
OFF = {"autocomplete": "off", "spellcheck": "false"}


def line(label: str, required: str = "") -> StringField:
    needed = [DataRequired(required)] if required else [Optional()]
    return StringField(
        label, filters=[stripped], validators=[*needed, Length(max=500)], render_kw=OFF
    )


class SsoForm(Form):
    """A provider: where it is, how it knows us, and whom it may let in as what."""

    issuer = line("Issuer", "Enter the provider's address.")
    client_id = line("Client id", "Enter the client id.")
    client_secret = PasswordField(
        "Client secret", validators=[Length(max=1000)], render_kw={"autocomplete": "new-password"}
    )
    domains = line("E-mail domains that are let in", "Enter a domain at least.")
    role_claim = line("Claim with the role")
    role_map = TextAreaField("Roles", filters=[stripped], validators=[Length(max=2000)])
    enforced = BooleanField("Close every other way into this workspace")

    def __init__(self, known: Sso | None, **kwargs: Any) -> None:
        super().__init__(obj=known, **kwargs)
        self.known = known
        if known and not self.is_submitted():
            self.role_map.data = mapping.shown(known.role_map)

    def validate_issuer(self, field: StringField) -> None:
        try:
            refuse_address(field.data)
        except ProviderRefused as refusal:
            raise ValidationError(str(refusal)) from None

    def validate_client_secret(self, field: PasswordField) -> None:
        if not field.data and not (self.known and self.known.client_secret):
            raise ValidationError("Enter the client secret.")

    def validate_domains(self, field: StringField) -> None:
        for one in kept.domains_of(field.data):
            if not DOMAIN.fullmatch(one):
                raise ValidationError(f"“{one}” isn't a domain, such as acme.example.")

    def validate_role_map(self, field: TextAreaField) -> None:
        try:
            mapping.kept(field.data)
        except ValueError as error:
            raise ValidationError(str(error)) from None


def known() -> Sso | None:
    return db.session.get(Sso, current_tenant().id)


@bp.get("/settings/sso")
@requires("workspace:write")
def sso_settings():
    return page(SsoForm(known(), formdata=None))


def page(form: SsoForm):
    return render_template(
        "signin/sso_settings.html",
        form=form,
        known=form.known,
        redirect_uri=kept.redirect_uri(),
        address=root_url("signin.sso", external=True, workspace=current_tenant().slug),
    )


@bp.post("/settings/sso")
@requires("workspace:write")
def change_sso():
    form = SsoForm(known())
    if form.validate_on_submit():
        with form.attempt():
            kept.change(**{name: text for name, text in form.data.items() if name != "csrf_token"})
            db.session.commit()
            flash("The single sign-on is saved.", "success")
            return redirect(url_for("signin.sso_settings"))
    return page(form), 422


@bp.post("/settings/sso/end")
@requires("workspace:write")
def end_sso():
    kept.end()
    db.session.commit()
    flash("The single sign-on is off.", "success")
    return redirect(url_for("signin.sso_settings"))
