"""Versions: when two people edit one row, the second one is told, and nothing is lost."""

from typing import Any

from flask import Flask, Response
from sqlalchemy.orm import Mapped, declared_attr, mapped_column
from sqlalchemy.orm.exc import ObjectDeletedError, StaleDataError
from werkzeug.exceptions import NotFound
from werkzeug.http import parse_etags

from app.errors import Refused, answer_http_error, refuse


class ChangedMeanwhile(Refused):
    """Somebody else changed the row since it was read."""

    title = "Somebody else changed this meanwhile"

    def __init__(self, message: str = "Look at it again before you change it.") -> None:
        super().__init__(message)


class NotThatVersion(ChangedMeanwhile):
    """The row isn't at the version that the If-Match header names."""

    status = 412


class Versioned:
    """Mix in for rows that several people edit: each change raises the version.

    A form carries the version it was made from, and says so: `project.expect(form.version.data)`.
    Between that look and the commit, the database itself compares.
    """

    version: Mapped[int] = mapped_column(default=1)

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:  # noqa: N805
        return {"version_id_col": cls.__table__.c.version}  # type: ignore[attr-defined]

    def expect(self, version: int | None) -> None:
        """Raise `ChangedMeanwhile` if this isn't the version any more; None is any version."""
        if version not in {None, self.version}:
            raise ChangedMeanwhile

    def expect_match(self, if_match: str) -> None:
        """Raise `NotThatVersion` if an If-Match header names others (RFC 9110); none is any."""
        tags = parse_etags(if_match)
        if tags and not tags.contains(str(self.version)):
            raise NotThatVersion


def init_app(app: Flask) -> None:
    app.register_error_handler(StaleDataError, answer_stale)
    app.register_error_handler(ObjectDeletedError, answer_gone)


def answer_stale(_error: StaleDataError) -> Response:
    return refuse(ChangedMeanwhile())


def answer_gone(_error: ObjectDeletedError) -> Any:
    """Somebody else deleted the row while this request had it."""
    return answer_http_error(NotFound())
