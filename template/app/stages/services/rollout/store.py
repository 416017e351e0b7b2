"""What is remembered of rollouts. Each step is one transaction: it has happened, or it hasn't.

    with Store(url) as store:
        store.begin(...)
        store.enter_next_wave(rollout, who)

A step names the state that it starts from, so whoever comes too late changes nothing and gets
`Refused`: a second command, or one that was thought dead.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, Row, create_engine, make_url, text
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.pool import NullPool

from app.db import patience
from app.stages.services.rollout import tables
from app.stages.services.rollout.errors import Refused
from app.stages.services.rollout.waves import Customer, Waves

DRIVING = 0x57A6E4012
FOLLOWED_SECONDS = 20  # A gateway that has said nothing for so long isn't there any more.
CUSTOMERS = """
    SELECT auth_tenants.id, auth_tenants.slug, count(auth_memberships.user_id) AS members
    FROM auth_tenants LEFT JOIN auth_memberships ON auth_memberships.tenant_id = auth_tenants.id
    GROUP BY auth_tenants.id, auth_tenants.slug
"""


@dataclass(frozen=True, slots=True)
class Rollout:
    """A rollout as it was when it was looked at."""

    id: int
    release: str
    previous: str
    state: str
    waves: Waves
    wave: int
    why: str
    driver: str
    began_at: datetime
    wave_at: datetime
    watched_at: datetime
    journey_wave: int
    ended_at: datetime | None

    @property
    def is_underway(self) -> bool:
        return self.state in {"running", "paused"}

    @property
    def wave_name(self) -> str:
        """The wave that it's in."""
        return "(not begun)" if self.wave < 0 else self.waves.wave[self.wave].name


@dataclass(frozen=True, slots=True)
class Release:
    """A release: where its services answer if that isn't where all do, and its migrations."""

    name: str
    upstreams: Mapping[str, str]
    heads: Mapping[str, list[str]]


@dataclass(frozen=True, slots=True)
class Pins:
    """What the gateways have to know: who goes where."""

    version: int = 0
    release: str | None = None
    releases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    tenants: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Follower:
    """A gateway that follows, and how far it is."""

    name: str
    version: int
    problem: str


@dataclass(frozen=True, slots=True)
class Step:
    """Who did what, when and why."""

    at: datetime
    who: str
    what: str
    why: str


class Store:
    """The memory, over one connection: what holds the lock is what writes."""

    def __init__(self, url: str) -> None:
        if make_url(url).get_backend_name() != "postgresql":
            raise Refused("Rollouts need PostgreSQL: two releases can't share a SQLite file.")
        self.url = url
        self.engine = create_engine(url, poolclass=NullPool, connect_args=patience(url))
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection, and with it of the lock."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def connection(self) -> Connection:
        if self._connection is None:
            self._connection = self.engine.connect()
        return self._connection

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        with self.connection.begin():
            yield self.connection

    def prepare(self, reader: str | None) -> None:
        """Make the tables at the first use."""
        try:
            with self.transaction() as connection:
                if not tables.are_there(connection):
                    tables.make(connection, reader)
        except ProgrammingError as error:
            raise Refused(
                f"The tables of rollouts can't be made: {error.orig}".strip()
                + "\nThe first `flask rollout adopt` needs the owner of auth's database: set "
                "MIGRATIONS_DATABASE_URL."
            ) from None

    def is_prepared(self) -> bool:
        """Whether the tables are there."""
        with self.transaction() as connection:
            return tables.are_there(connection)

    # --- Who drives ------------------------------------------------------------------------------

    @contextmanager
    def driving(self, who: str) -> Iterator[None]:
        """Be the one who drives. PostgreSQL lets go of it when the connection ends, however.

        Raises `Refused` while somebody else does.
        """
        if not self.lock():
            raise Refused(f"It is being driven already, by {self.driver() or 'somebody'}.")
        try:
            with self.transaction() as connection:
                connection.execute(
                    text(
                        "UPDATE rollout.rollouts SET driver = :who "
                        "WHERE state IN ('running', 'paused')"
                    ),
                    {"who": who},
                )
            yield
        finally:
            self.close()

    def lock(self) -> bool:
        with self.transaction() as connection:
            asked = text("SELECT pg_try_advisory_lock(:key)")
            return bool(connection.scalar(asked, {"key": DRIVING}))

    def is_driven(self) -> bool:
        """Whether a command is at work on it, ours not counted."""
        asked = text(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid() "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
            "AND (classid::bigint << 32 | objid::bigint) = :key"
        )
        with self.transaction() as connection:
            return bool(connection.scalar(asked, {"key": DRIVING}))

    def driver(self) -> str:
        rollout = self.underway()
        return rollout.driver if rollout else ""

    # --- Looking ---------------------------------------------------------------------------------

    def customers(self) -> list[Customer]:
        """All tenants that nobody has pinned by hand."""
        with self.transaction() as connection:
            by_hand = set(
                connection.scalars(text("SELECT tenant FROM rollout.pins WHERE rollout IS NULL"))
            )
            rows = connection.execute(text(CUSTOMERS)).all()
        return [Customer(row.id, row.slug, row.members) for row in rows if row.id not in by_hand]

    def serving(self) -> tuple[str | None, str | None]:
        """The release that everybody has who isn't pinned, and the one before it."""
        with self.transaction() as connection:
            row = connection.execute(text("SELECT release, previous FROM rollout.gateway")).one()
        return row.release, row.previous

    def release(self, name: str) -> Release | None:
        with self.transaction() as connection:
            found = connection.execute(
                text("SELECT name, upstreams, heads FROM rollout.releases WHERE name = :name"),
                {"name": name},
            ).one_or_none()
        return Release(found.name, found.upstreams, found.heads) if found else None

    def releases(self) -> list[str]:
        """Their names, the newest first."""
        with self.transaction() as connection:
            asked = text("SELECT name FROM rollout.releases ORDER BY known_since DESC, name")
            return list(connection.scalars(asked))

    def underway(self) -> Rollout | None:
        """The rollout that hasn't ended; there is never more than one."""
        return self.find("state IN ('running', 'paused')")

    def latest(self) -> Rollout | None:
        return self.find("true")

    def find(self, which: str, **values: object) -> Rollout | None:
        """The newest of some."""
        asked = text(f"SELECT * FROM rollout.rollouts WHERE {which} ORDER BY id DESC LIMIT 1")  # noqa: S608
        with self.transaction() as connection:
            row = connection.execute(asked, values).one_or_none()
        return rollout_of(row) if row else None

    def now(self) -> datetime:
        """The time by the clock that all steps are noted by."""
        with self.transaction() as connection:
            found: datetime = connection.execute(text("SELECT now()")).scalar_one()
            return found

    def sizes(self, rollout: Rollout) -> list[int]:
        """How many tenants each wave has."""
        asked = text(
            "SELECT wave, count(*) AS n FROM rollout.tenants WHERE rollout = :id GROUP BY wave"
        )
        with self.transaction() as connection:
            found = {row.wave: row.n for row in connection.execute(asked, {"id": rollout.id})}
        return [found.get(wave, 0) for wave in range(len(rollout.waves.wave))]

    def slugs(self, rollout: Rollout, wave: int) -> set[str]:
        """The tenants of a wave, by the slugs that they have now."""
        asked = text(
            "SELECT slug FROM auth_tenants JOIN rollout.tenants ON tenant = auth_tenants.id "
            "WHERE rollout = :id AND wave = :wave"
        )
        with self.transaction() as connection:
            return set(connection.scalars(asked, {"id": rollout.id, "wave": wave}))

    def steps(self, rollout: Rollout | None) -> list[Step]:
        """What was done, oldest first; of no rollout in particular: adopting and pins by hand."""
        asked = text(
            "SELECT at, who, what, why FROM rollout.steps "
            "WHERE rollout IS NOT DISTINCT FROM :id ORDER BY id"
        )
        with self.transaction() as connection:
            found = connection.execute(asked, {"id": rollout.id if rollout else None})
            return [Step(*row) for row in found]

    # --- What gateways do ------------------------------------------------------------------------

    def version(self) -> int:
        """It grows with each change of what gateways have to know."""
        with self.transaction() as connection:
            return int(connection.execute(text("SELECT version FROM rollout.gateway")).scalar_one())

    def pins(self) -> Pins:
        """Who goes where: of one moment, and by the slugs that tenants have at that moment."""
        with self.connection.begin() as transaction:
            connection = transaction.connection
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            row = connection.execute(text("SELECT version, release FROM rollout.gateway")).one()
            releases = connection.execute(
                text(
                    "SELECT name, upstreams FROM rollout.releases WHERE name IN ("
                    "SELECT release FROM rollout.gateway UNION "
                    "SELECT release FROM rollout.pins UNION "
                    "SELECT release FROM rollout.rollouts WHERE state IN ('running', 'paused'))"
                )
            )
            known = {one.name: one.upstreams for one in releases}
            tenants = connection.execute(
                text(
                    "SELECT slug, release FROM rollout.pins "
                    "JOIN auth_tenants ON auth_tenants.id = tenant"
                )
            )
            return Pins(row.version, row.release, known, {one.slug: one.release for one in tenants})

    def follows(self, name: str, version: int, problem: str = "") -> None:
        """Note how far a gateway is."""
        with self.transaction() as connection:
            connection.execute(
                text(
                    "INSERT INTO rollout.followers (name, version, problem) "
                    "VALUES (:name, :version, :problem) ON CONFLICT (name) DO UPDATE SET "
                    "version = excluded.version, problem = excluded.problem, seen_at = now()"
                ),
                {"name": name, "version": version, "problem": problem[:500]},
            )
            old = f"seen_at < now() - interval '{FOLLOWED_SECONDS * 10} seconds'"
            connection.execute(text(f"DELETE FROM rollout.followers WHERE {old}"))  # noqa: S608

    def followers(self) -> list[Follower]:
        """The gateways that are there."""
        new = f"seen_at > now() - interval '{FOLLOWED_SECONDS} seconds'"
        asked = text(f"SELECT name, version, problem FROM rollout.followers WHERE {new}")  # noqa: S608
        with self.transaction() as connection:
            return [Follower(*row) for row in connection.execute(asked)]

    # --- Steps -----------------------------------------------------------------------------------

    def know(
        self, name: str, upstreams: Mapping[str, str], heads: Mapping[str, list[str]] | None
    ) -> None:
        """Take note of a release; what isn't said stays as it was."""
        with self.transaction() as connection:
            connection.execute(
                text(
                    "INSERT INTO rollout.releases (name, upstreams, heads) VALUES "
                    "(:name, cast(:upstreams AS jsonb), cast(:heads AS jsonb)) "
                    "ON CONFLICT (name) DO UPDATE SET "
                    "upstreams = releases.upstreams || excluded.upstreams, "
                    "heads = CASE WHEN excluded.heads = '{}' THEN releases.heads "
                    "ELSE excluded.heads END"
                ),
                {
                    "name": name,
                    "upstreams": json.dumps(dict(upstreams)),
                    "heads": json.dumps(dict(heads or {})),
                },
            )
            changed(connection)

    def adopt(self, name: str, who: str, why: str) -> None:
        """Everybody has this release from now on; the first one comes so."""
        with self.transaction() as connection:
            done = connection.execute(
                text("UPDATE rollout.gateway SET release = :name WHERE release IS NULL"),
                {"name": name},
            )
            if done.rowcount != 1:
                raise Refused(
                    "A release serves everybody already. Bring the next one with "
                    "`flask rollout start`."
                )
            changed(connection)
            note(connection, None, who, f"adopted {name}", why)

    def pin(self, slug: str, release: str | None, who: str, why: str) -> None:
        """Pin a tenant by hand, or let it go; rollouts leave it alone meanwhile."""
        with self.transaction() as connection:
            tenant = connection.scalar(
                text("SELECT id FROM auth_tenants WHERE slug = :slug"), {"slug": slug}
            )
            if tenant is None:
                raise Refused(f"There is no tenant {slug!r}.")
            refuse_while_underway(connection)
            connection.execute(text("DELETE FROM rollout.pins WHERE tenant = :id"), {"id": tenant})
            if release is not None:
                refuse_unknown_release(connection, release)
                connection.execute(
                    text("INSERT INTO rollout.pins (tenant, release) VALUES (:id, :release)"),
                    {"id": tenant, "release": release},
                )
            changed(connection)
            done = f"pinned {slug} to {release}" if release else f"unpinned {slug}"
            note(connection, None, who, done, why)

    def begin(
        self,
        release: str,
        waves: Waves,
        assigned: Sequence[Sequence[Customer]],
        who: str,
        why: str,
    ) -> Rollout:
        """Begin a rollout, with the tenants of each wave as they are now."""
        with self.transaction() as connection:
            connection.execute(text("SELECT 1 FROM rollout.gateway FOR UPDATE"))
            refuse_while_underway(connection)
            previous = connection.scalar(text("SELECT release FROM rollout.gateway"))
            made = connection.execute(
                text(
                    "INSERT INTO rollout.rollouts (release, previous, waves) "
                    "VALUES (:release, :previous, cast(:waves AS jsonb)) RETURNING id"
                ),
                {"release": release, "previous": previous, "waves": waves.model_dump_json()},
            ).scalar_one()
            tenants = [(one.id, number) for number, wave in enumerate(assigned) for one in wave]
            connection.execute(
                text(
                    "INSERT INTO rollout.tenants (rollout, tenant, wave) SELECT :id, tenant, wave "
                    "FROM unnest(cast(:tenants AS uuid[]), cast(:waves AS integer[])) "
                    "AS given (tenant, wave)"
                ),
                {
                    "id": made,
                    "tenants": [str(tenant) for tenant, _ in tenants],
                    "waves": [wave for _, wave in tenants],
                },
            )
            changed(connection)
            note(connection, made, who, f"started {release}, after {previous}", why)
        found = self.find("id = :id", id=made)
        assert found is not None  # noqa: S101  # We have just made it.
        return found

    def enter_next_wave(self, rollout: Rollout, who: str) -> None:
        """Pin the tenants of the next wave to the new release."""
        wave = rollout.wave + 1
        with self.transaction() as connection:
            take(
                connection, rollout, "wave = :wave, wave_at = now(), watched_at = now()", wave=wave
            )
            connection.execute(
                text(
                    "INSERT INTO rollout.pins (tenant, release, rollout) "
                    "SELECT tenant, :release, rollout FROM rollout.tenants "
                    "WHERE rollout = :id AND wave = :wave"
                ),
                {"release": rollout.release, "id": rollout.id, "wave": wave},
            )
            visited = connection.execute(
                text(
                    "UPDATE rollout.tenants SET visits = visits + 1 "
                    "WHERE rollout = :id AND wave = :wave"
                ),
                {"id": rollout.id, "wave": wave},
            )
            changed(connection)
            name = rollout.waves.wave[wave].name
            note(connection, rollout.id, who, f"wave {name}: {visited.rowcount:,} tenants")

    def passed_journey(self, rollout: Rollout, who: str, what: str) -> None:
        with self.transaction() as connection:
            take(connection, rollout, "journey_wave = wave")
            note(connection, rollout.id, who, what)

    def finish(self, rollout: Rollout, who: str) -> None:
        """Everybody has the new release; nobody needs a pin for it any more."""
        with self.transaction() as connection:
            take(connection, rollout, "state = 'done', ended_at = now()")
            connection.execute(
                text("UPDATE rollout.gateway SET release = :release, previous = :previous"),
                {"release": rollout.release, "previous": rollout.previous},
            )
            unpin(connection, rollout)
            changed(connection)
            note(connection, rollout.id, who, f"done: everybody has {rollout.release}")

    def pause(self, rollout: Rollout, who: str, why: str) -> None:
        """Go no further; everybody stays where they are."""
        with self.transaction() as connection:
            take(connection, rollout, "state = 'paused', why = :why", why=why)
            note(connection, rollout.id, who, "paused", why)

    def resume(self, rollout: Rollout, who: str, why: str) -> None:
        with self.transaction() as connection:
            new = "state = 'running', why = '', watched_at = now()"
            take(connection, rollout, new, state="paused")
            note(connection, rollout.id, who, "resumed", why)

    def stop(self, rollout: Rollout, who: str, why: str) -> None:
        """Its tenants go back to the release before, all at once."""
        with self.transaction() as connection:
            new = "state = 'stopped', why = :why, ended_at = now()"
            take(connection, rollout, new, why=why, state=rollout.state)
            back = unpin(connection, rollout)
            changed(connection)
            done = f"rolled back: {back:,} tenants have {rollout.previous} again"
            note(connection, rollout.id, who, done, why)

    def go_back(self, who: str, why: str) -> str:
        """After a rollout that is done: everybody has the release before again."""
        with self.transaction() as connection:
            refuse_while_underway(connection)
            row = connection.execute(
                text("SELECT release, previous FROM rollout.gateway FOR UPDATE")
            ).one()
            if row.previous is None:
                raise Refused("There is no release before to go back to.")
            connection.execute(
                text("UPDATE rollout.gateway SET release = previous, previous = NULL")
            )
            changed(connection)
            latest = connection.scalar(text("SELECT max(id) FROM rollout.rollouts"))
            done = f"rolled back: everybody has {row.previous} again, not {row.release}"
            note(connection, latest, who, done, why)
            return str(row.previous)

    def add_step(self, rollout: Rollout, who: str, what: str, why: str = "") -> None:
        """Note what isn't a change of state."""
        with self.transaction() as connection:
            note(connection, rollout.id, who, what, why)


def rollout_of(row: Row[Any]) -> Rollout:
    values = dict(row._mapping)
    return Rollout(**values | {"waves": Waves.model_validate(values["waves"])})


def take(
    connection: Connection, rollout: Rollout, new: str, *, state: str = "running", **values: object
) -> None:
    """Change a rollout's row, if it's still as we saw it."""
    expected = "id = :id AND state = :state AND wave = :seen"
    done = connection.execute(
        text(f"UPDATE rollout.rollouts SET {new} WHERE {expected}"),  # noqa: S608  # Our own words.
        {"id": rollout.id, "state": state, "seen": rollout.wave, **values},
    )
    if done.rowcount != 1:
        raise Refused("Somebody else has changed this rollout meanwhile: flask rollout status")


def unpin(connection: Connection, rollout: Rollout) -> int:
    done = connection.execute(
        text("DELETE FROM rollout.pins WHERE rollout = :id"), {"id": rollout.id}
    )
    return done.rowcount


def changed(connection: Connection) -> None:
    connection.execute(text("UPDATE rollout.gateway SET version = version + 1"))


def note(connection: Connection, rollout: int | None, who: str, what: str, why: str = "") -> None:
    connection.execute(
        text("INSERT INTO rollout.steps (rollout, who, what, why) VALUES (:id, :who, :what, :why)"),
        {"id": rollout, "who": who, "what": what, "why": why},
    )


def refuse_while_underway(connection: Connection) -> None:
    found = connection.scalar(
        text("SELECT release FROM rollout.rollouts WHERE state IN ('running', 'paused')")
    )
    if found is not None:
        raise Refused(f"A rollout of {found} is underway: see `flask rollout status`.")


def refuse_unknown_release(connection: Connection, release: str) -> None:
    known = list(connection.scalars(text("SELECT name FROM rollout.releases ORDER BY name")))
    if release not in known:
        raise Refused(f"There is no release {release!r}. Known are {', '.join(known)}.")


def is_away(error: BaseException) -> bool:
    """Whether it's the database that doesn't answer."""
    return isinstance(error, OperationalError)
