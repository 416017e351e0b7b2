"""The two databases of a move: where the rows are, and where they go."""

from dataclasses import dataclass, field
from uuid import UUID

import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy import URL, make_url

from app.db import CONNECT_SECONDS

# What rows look like as text is compared on both sides, so both say it the same way. A policy that
# would hide rows from us must be an error, never fewer rows.
SAME_WORDS = (
    "-c row_security=off -c app.at_work=on -c timezone=UTC -c datestyle=ISO "
    "-c intervalstyle=postgres -c extra_float_digits=1 -c bytea_output=hex"
)


@dataclass(frozen=True, slots=True)
class Side:
    """A pool or a silo, as somebody who may replicate its tables reaches it."""

    kind: str
    url: URL = field(repr=False)

    @classmethod
    def at(cls, kind: str, admin: str, database: str) -> "Side":
        """A database on an administrator's server."""
        return cls(kind, make_url(admin).set(database=database))

    @property
    def conninfo(self) -> str:
        """How it's reached, also by the other server, which comes for the rows."""
        known = self.url.translate_connect_args(database="dbname", username="user")
        extra = {key: str(value) for key, value in self.url.query.items()}
        extra.setdefault("connect_timeout", str(CONNECT_SECONDS))
        return make_conninfo("", **known, **extra, options=SAME_WORDS)

    @property
    def shown(self) -> str:
        """Where it is, without a password."""
        return f"{self.kind} {self.url.host}:{self.url.port or 5432}/{self.url.database}"

    def connect(self) -> psycopg.Connection:
        """A connection in autocommit."""
        return psycopg.connect(self.conninfo, autocommit=True)


@dataclass(frozen=True, slots=True)
class Route:
    """Whose rows of which service go from where to where."""

    tenant_id: UUID
    service: str
    source: Side
    target: Side

    @property
    def name(self) -> str:
        """What publications, slots and the subscription of this direction are called."""
        return f"move_{self.service}_{self.tenant_id.hex}_{self.source.kind}"

    @property
    def checks(self) -> str:
        """The slot that tells which rows changed while they were compared."""
        return f"{self.name}_seen"

    def turned(self) -> "Route":
        """The way back."""
        return Route(self.tenant_id, self.service, self.target, self.source)
