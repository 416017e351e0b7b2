"""What both sides of a promote can do; `sqlite` and `postgres` say how."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import make_url

from app.stages.services.promote.errors import Refused
from app.stages.services.promote.shapes import Key, Shape, Table

OURS = ("alembic_version", "_promote")


@dataclass(frozen=True, slots=True)
class Where:
    """The rows of a shared table that one service gets, by the name of what they are for."""

    column: str
    values: tuple[str, ...]
    negated: bool = False


class Side(ABC):
    """A database, on either side."""

    dialect: str

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def shown(self) -> str:
        """The URL without its password."""
        return make_url(self.url).render_as_string(hide_password=True)

    def tables(self) -> dict[str, Table]:
        """Every table with rows of the product's."""
        found = self.all_tables()
        return {name: table for name, table in found.items() if not name.startswith(OURS)}

    @abstractmethod
    def all_tables(self) -> dict[str, Table]: ...

    @abstractmethod
    def identity(self) -> tuple[object, ...]:
        """Equal for two URLs of one database."""

    @abstractmethod
    def versions(self, package: str) -> set[str]:
        """Which migration a package is at."""

    @abstractmethod
    def count(self, table: str, where: Where | None = None) -> int: ...

    @abstractmethod
    def tenant_counts(self, table: str, column: str) -> dict[str, int]: ...

    @abstractmethod
    def distinct(self, table: str, column: str) -> list[str]: ...

    @abstractmethod
    def batch(self, shape: Shape, where: Where | None, after: Key | None, size: int) -> list[bytes]:
        """The next rows in the order of the key, as lines."""

    @abstractmethod
    def stream(self, shape: Shape, where: Where | None = None) -> Iterator[bytes]:
        """All rows as lines, in an order that both sides share."""

    @abstractmethod
    def close(self) -> None: ...

    # --- What a source does besides -----------------------------------------------------------

    @abstractmethod
    def standing_still(self, tables: Sequence[str]) -> AbstractContextManager[None]:
        """One state of all tables, to read from; `Refused` if somebody wrote meanwhile."""

    def counted(self) -> dict[str, int]:
        """How far each sequence is, by its name: deleted rows may have had higher numbers."""
        return {}

    def elsewhere(self) -> list[str]:
        """Tables in other schemas, which no `tables` lists."""
        return []

    @abstractmethod
    def broken_references(self) -> list[str]:
        """Rows that refer to others which aren't there, in words."""

    # --- What a target does besides -----------------------------------------------------------

    @abstractmethod
    def claim(self) -> None:
        """Keep other promotes out until it's closed; `Refused` if one is at work in it."""

    @abstractmethod
    def execute(self, statement: str, *values: Any) -> None: ...

    @abstractmethod
    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]: ...

    @abstractmethod
    def transaction(self) -> AbstractContextManager[None]: ...

    @abstractmethod
    def reading(self) -> "Side":
        """A second connection, which keeps seeing one state while this one writes."""

    @abstractmethod
    def insert(self, shape: Shape, lines: Sequence[bytes]) -> None: ...

    @abstractmethod
    def delete(self, shape: Shape, keys: Sequence[Key]) -> None: ...

    @abstractmethod
    def fetch(self, shape: Shape, keys: Sequence[Key]) -> list[bytes]: ...

    @abstractmethod
    def empty(self, tables: Sequence[str]) -> None: ...

    @abstractmethod
    def take_down(self, since: int = 0) -> list[tuple[int, str]]:
        """Take away what slows rows down or refuses them for a while: indexes, constraints to
        other rows, triggers. Answers the statements that put all that back, each with its turn:
        0 as soon as the rows are there, 1 and more at the end; nothing of a turn before `since`."""

    @abstractmethod
    def settle(self, counted: dict[str, int]) -> None:
        """Set the sequences beyond their rows, and those that `counted` names at least so far;
        fill the views that keep rows; and see that no row refers to one that isn't there."""

    @abstractmethod
    def analyse(self) -> None:
        """Let the planner know its new tables."""


def opened(url: str, *, writing: bool) -> Side:
    """The database behind a URL; `Refused` if it doesn't answer."""
    from app.settings import readable_database_url
    from app.stages.services.promote.postgres import PostgresSide
    from app.stages.services.promote.sqlite import SqliteSide

    try:
        url = readable_database_url(url)
    except ValueError as error:
        raise Refused(f"{url!r} isn't a database's URL: it {error}.") from None
    kind = SqliteSide if make_url(url).drivername == "sqlite" else PostgresSide
    return kind(url, writing=writing)
