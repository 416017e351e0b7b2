"""Forms: what people type, checked, and given back to them when a rule says no."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask_wtf import FlaskForm
from sqlalchemy.orm.exc import StaleDataError
from wtforms import Field, IntegerField, ValidationError
from wtforms import Form as BareForm
from wtforms.validators import InputRequired
from wtforms.widgets import HiddenInput

from app.db import db
from app.errors import Refused
from app.versions import ChangedMeanwhile

# PostgreSQL keeps no NUL, and nobody can see the others.
INVISIBLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class Form(FlaskForm):
    """A form that keeps what was typed, with the reason, when a rule refuses it."""

    refusal: Refused | None = None

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Do what the form asks for; a refusal takes it back and stands on the form instead."""
        try:
            yield
        except StaleDataError:
            self.refuse(ChangedMeanwhile())
        except Refused as refusal:
            self.refuse(refusal)

    def refuse(self, refusal: Refused) -> None:
        """Show this refusal above the fields."""
        db.session.rollback()
        self.refusal = refusal
        self.form_errors.append(f"{refusal.title}. {refusal}")


class VersionField(IntegerField):
    """The version that a form was made from, for `Versioned` rows."""

    widget = HiddenInput()

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("Version", validators=[InputRequired("Open the page again.")], **kwargs)

    def renew(self, version: int) -> None:
        """Let the form, when it's sent again, change this version."""
        self.data = version
        self.raw_data = None


def stripped(text: str | None) -> str:
    """A filter: no blanks around the text, and line ends as everywhere else."""
    return (text or "").replace("\r\n", "\n").strip()


def readable(_form: BareForm, field: Field) -> None:
    """A validator: only characters that can be read and stored."""
    if INVISIBLE.search(field.data or ""):
        raise ValidationError("This has characters in it that can't be shown.")


def one_line(form: BareForm, field: Field) -> None:
    """A validator: readable, on one line."""
    readable(form, field)
    if len((field.data or "").splitlines()) > 1:
        raise ValidationError("This must be on one line.")
