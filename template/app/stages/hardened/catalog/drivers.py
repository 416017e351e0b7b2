"""How each kind of target is reached: one interface, a driver for each kind.

    DRIVERS["account"] = AccountDriver()

is all that another kind needs. The pool needs none: it's the process's own database.
"""

from typing import Protocol

from sqlalchemy import URL

from app.errors import Refused
from app.stages.hardened.catalog.passwords import password_of
from app.stages.hardened.catalog.places import Target

CONNECT_SECONDS = 2
# A server that is gone without a word is noticed after so long, in a transaction, too.
SILENCE_MILLISECONDS = 5000


class NoDriver(Refused):
    """Nobody here can reach targets of this kind."""

    title = "This kind of target can't be reached here"


class Driver(Protocol):
    """Reaches the targets of a kind."""

    def engine_url(self, target: Target) -> str:
        """Where the service works with its rows. It may change: it's asked for each new pool."""

    def owner_url(self, target: Target) -> str:
        """Where the owner of the tables migrates, copies and deletes."""

    def refuse_what_it_cannot_reach(self, target: Target) -> None:
        """Raise `Refused` for a target that isn't described as this kind needs."""


class SiloDriver:
    """A database of its own, on a server that we reach with a password."""

    def engine_url(self, target: Target) -> str:
        return url_of(target, target.role, password_of(target, "app"))

    def owner_url(self, target: Target) -> str:
        return url_of(target, target.owner_role, password_of(target, "owner"))

    def refuse_what_it_cannot_reach(self, target: Target) -> None:
        missing = [
            name
            for name in ("host", "port", "database", "role", "owner_role", "secret_ref")
            if not getattr(target, name)
        ]
        if missing:
            raise NoDriver(f"“{target.name}” doesn't say its {', '.join(missing)}.")
        if target.role == target.owner_role:
            raise NoDriver(
                f"“{target.name}” works as the owner of its tables, who could take the walls down.",
                hint="Give it two roles.",
            )


def url_of(target: Target, role: str, password: str) -> str:
    """The URL of a target for one of its roles, with little patience for a server that is away."""
    query = {
        "connect_timeout": str(CONNECT_SECONDS),
        "tcp_user_timeout": str(SILENCE_MILLISECONDS),
    }
    if ssl := target.details.get("sslmode"):
        query["sslmode"] = str(ssl)
    url = URL.create(
        "postgresql+psycopg", role, password, target.host, target.port, target.database, query
    )
    return url.render_as_string(hide_password=False)


DRIVERS: dict[str, Driver] = {"silo": SiloDriver()}


def driver_of(target: Target) -> Driver:
    """The driver of a target's kind. Raises `NoDriver`."""
    try:
        return DRIVERS[target.kind]
    except KeyError:
        raise NoDriver(
            f"“{target.name}” is of the kind {target.kind!r}, which nothing here can reach.",
            hint=f"Known kinds: {', '.join(sorted(DRIVERS))}.",
        ) from None


def engine_url(target: Target) -> str:
    """Where a service works with a tenant's rows."""
    return driver_of(target).engine_url(target)


def owner_url(target: Target) -> str:
    """Where the owner of a target's tables works."""
    return driver_of(target).owner_url(target)
