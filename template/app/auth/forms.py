"""The forms of auth: what people may send, and nothing else is taken from a request."""

from typing import Any

from wtforms import EmailField, Field, PasswordField, SelectField, StringField, ValidationError
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length

from app.auth import emails, passwords, tenants
from app.auth.roles import CHOICES, roles
from app.forms import Form


def one_line(text: str | None) -> str:
    """Text without line breaks and invisible signs, which could fake what stands around it."""
    return " ".join("".join(c if c.isprintable() else " " for c in text or "").split())


def refuse_links(_form: Form, field: Field) -> None:
    """Names stand in e-mails to others: they mustn't lead anywhere."""
    if "://" in field.data or "www." in field.data.lower():
        raise ValidationError("A name can't hold a web address.")


def real_address(_form: Form, field: Field) -> None:
    try:
        field.data = emails.tidy(field.data)
    except ValueError as error:
        raise ValidationError(str(error)) from None


def name_field(label: str, **render: Any) -> StringField:
    return StringField(
        label,
        filters=[one_line],
        validators=[DataRequired("Enter a name."), Length(max=80), refuse_links],
        render_kw=render,
    )


def email_field(label: str = "E-mail address", *, autocomplete: str = "email") -> EmailField:
    required = InputRequired("Enter an e-mail address.")
    return EmailField(
        label,
        validators=[required, Length(max=254), real_address],
        render_kw={"autocomplete": autocomplete},
    )


def password_field(label: str = "Password") -> PasswordField:
    return PasswordField(
        label,
        validators=[InputRequired("Enter the password."), Length(max=1000)],
        render_kw={"autocomplete": "current-password"},
    )


def new_password_field(label: str = "Password") -> PasswordField:
    return PasswordField(
        label,
        validators=[InputRequired("Choose a password.")],
        render_kw={"autocomplete": "new-password"},
    )


class NewPasswordForm(Form):
    """A form that sets a password; it knows what of the person must not be in it."""

    new_password = new_password_field()

    def __init__(self, *personal: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.personal = personal

    def validate_new_password(self, field: Field) -> None:
        typed = (f.data or "" for f in (self._fields.get("name"), self._fields.get("email")) if f)
        if problem := passwords.weakness(field.data, *self.personal, *typed):
            raise ValidationError(problem)


class SignUpForm(NewPasswordForm):
    name = name_field("Your name", autocomplete="name")
    email = email_field("Work e-mail", autocomplete="username")
    new_password = new_password_field()


class LogInForm(Form):
    # An address that can't exist is answered like one that doesn't.
    email = EmailField(
        "E-mail address",
        filters=[emails.typed],
        validators=[InputRequired("Enter your e-mail address."), Length(max=254)],
        render_kw={"autocomplete": "username"},
    )
    password = password_field()


class AddressForm(Form):
    email = email_field()


class AcceptForm(Form):
    """A button: only the CSRF token counts."""


class PasswordForm(Form):
    password = password_field()


class WorkspaceForm(Form):
    name = name_field("Name", autocomplete="organization")


class SettingsForm(WorkspaceForm):
    slug = StringField(
        "Address",
        filters=[lambda text: (text or "").strip().lower()],
        validators=[InputRequired("Enter an address.")],
        render_kw={"autocomplete": "off", "spellcheck": "false"},
    )

    def validate_slug(self, field: Field) -> None:
        try:
            tenants.refuse_unusable(field.data)
        except tenants.SlugRefused as refusal:
            raise ValidationError(str(refusal)) from None


class RoleForm(Form):
    role = SelectField("Role", choices=[SelectChoice(*choice) for choice in CHOICES])


class InvitationForm(Form):
    email = email_field(autocomplete="off")
    role = SelectField("Role", choices=lambda: [SelectChoice(*one) for one in roles().choices()])


class TokenForm(Form):
    name = name_field("What is it for?", autocomplete="off")


class NewAccountForm(NewPasswordForm):
    """An invited person's account: the address is the invitation's."""

    name = name_field("Your name", autocomplete="name")
    new_password = new_password_field()


class ChangePasswordForm(NewPasswordForm):
    password = password_field("Current password")
    new_password = new_password_field("New password")


class ChangeEmailForm(Form):
    email = email_field("New e-mail address")
    password = password_field()


class ProfileForm(Form):
    name = name_field("Your name", autocomplete="name")
