"""Forms: what people type, checked, and given back to them when a rule says no."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unicodedata import category

from flask import request
from flask_wtf import FlaskForm
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.datastructures import MultiDict
from wtforms import Field, FileField, IntegerField, MultipleFileField, ValidationError
from wtforms import Form as BareForm
from wtforms.validators import InputRequired
from wtforms.widgets import HiddenInput

from app.db import db
from app.errors import Refused
from app.versions import ChangedMeanwhile

# PostgreSQL keeps no NUL, and nobody can see the others.
# The last two turn the direction of what follows, as in "exe.gpj": they are there to deceive.
INVISIBLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\u202d\u202e]")


class Form(FlaskForm):
    """A form that keeps what was typed, with the reason, when a rule refuses it."""

    refusal: Refused | None = None

    class Meta(FlaskForm.Meta):
        def wrap_formdata(self, form: BareForm, formdata: Any) -> Any:
            """A text field sees text only: no file and no JSON that comes under its name."""
            if formdata is None or isinstance(formdata, MultiDict) or has_files(form):
                return super().wrap_formdata(form, formdata)
            return (form.is_submitted() and request.form) or None

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


def has_files(form: BareForm) -> bool:
    return any(isinstance(field, FileField | MultipleFileField) for field in form)


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
    text = (text or "").replace("\r\n", "\n").strip()
    return text if any(map(is_visible, text)) else ""


def is_visible(char: str) -> bool:
    """Whether it leaves a mark: a name of zero-width signs is a link that nobody finds."""
    return category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"}


def readable(_form: BareForm, field: Field) -> None:
    """A validator: only characters that can be read and stored."""
    if INVISIBLE.search(field.data or ""):
        raise ValidationError("This has characters in it that can't be shown.")


def one_line(form: BareForm, field: Field) -> None:
    """A validator: readable, on one line."""
    readable(form, field)
    if len((field.data or "").splitlines()) > 1:
        raise ValidationError("This must be on one line.")
