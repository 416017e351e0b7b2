"""What a promote would do, and what stands in its way; nothing is written for it."""

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from app.db import PACKAGES
from app.migrate import heads_of
from app.stages.services.promote.errors import Refused
from app.stages.services.promote.ledger import FINISHED, Ledger
from app.stages.services.promote.places import Place, places_of
from app.stages.services.promote.prepare import migrate_target, rehearsed
from app.stages.services.promote.shapes import TENANT, TENANTS, Table
from app.stages.services.promote.side import Side, opened
from app.stages.services.settings import SERVICES


@dataclass(frozen=True, slots=True)
class Line:
    """One table's rows that go to one service."""

    place: Place
    rows: int
    has_key: bool


@dataclass(slots=True)
class Plan:
    """What goes where, whose it is, and what stops it."""

    source: str
    targets: dict[str, str]
    lines: list[Line] = field(default_factory=list)
    tenants: dict[str, int] = field(default_factory=dict)
    blockers: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return sum(line.rows for line in self.lines)

    def refuse(self) -> None:
        """Stop here if anything stands in the way."""
        if self.blockers:
            raise Refused("\n".join(f"- {blocker}" for blocker in self.blockers))


def plan_of(source_url: str, targets: dict[str, str], leave: tuple[str, ...] = ()) -> Plan:
    """Look at both sides. Whatever stands in the way is in `blockers`, all at once."""
    plan = Plan(source_url, targets)
    plan.blockers += [
        f"No database is given for {service}: set {service.upper()}_DATABASE_URL or pass "
        f"--{service} URL."
        for service in SERVICES
        if not targets.get(service)
    ]
    sides: dict[str, Side] = {}
    try:
        for name, url in {"source": source_url, **targets}.items():
            if url:
                open_into(sides, name, url, plan)
        look_at_twins(sides, plan)
        if "source" in sides:
            look_at_source(sides["source"], plan, leave)
        for service in targets:
            if service in sides:
                look_at_target(sides[service], service, sides.get("source"), plan)
    finally:
        for side in sides.values():
            side.close()
    return plan


def open_into(sides: dict[str, Side], name: str, url: str, plan: Plan) -> None:
    """Open a side for reading; a target that's a SQLite file may not be there yet."""
    path = file_of(url)
    if name != "source" and path is not None and not path.exists():
        known = [one for one, theirs in plan.targets.items() if theirs == url and one < name]
        plan.blockers += [f"{one} and {name} are one database ({url})." for one in known]
        return
    try:
        sides[name] = opened(url, writing=False)
    except Refused as error:
        plan.blockers.append(f"{name}: {error}")


def file_of(url: str) -> Path | None:
    return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None


def look_at_twins(sides: dict[str, Side], plan: Plan) -> None:
    seen: dict[tuple[object, ...], str] = {}
    for name, side in sides.items():
        twin = seen.setdefault(side.identity(), name)
        if twin != name:
            plan.blockers.append(
                f"{twin} and {name} are one database ({side.shown}): each service needs its own."
            )


def look_at_source(source: Side, plan: Plan, leave: tuple[str, ...]) -> None:
    tables = {name: table for name, table in source.tables().items() if name not in leave}
    plan.blockers += [
        f"source: {name} is in a schema of its own, and rows of the common one travel. Move it "
        f"there (ALTER TABLE {name} SET SCHEMA ...), or leave it behind with --leave {name}."
        for name in source.elsewhere()
        if name not in leave
    ]
    plan.blockers += behind(source)
    if plan.blockers:
        return
    places = places_of(source, sorted(tables))
    try:
        plan.blockers += unknown(tables, places, made_by_migrations(source, plan.targets))
    except Refused as error:
        plan.blockers.append(str(error))
    plan.blockers += [f"source: {problem}." for problem in source.broken_references()]
    for place in places:
        rows = source.count(place.table, place.where)
        plan.lines.append(Line(place, rows, bool(tables[place.table].key)))
    for name, table in tables.items():
        count_tenants(source, name, table, plan)


def count_tenants(source: Side, name: str, table: Table, plan: Plan) -> None:
    names = {column.name for column in table.columns}
    column = "id" if name == TENANTS else TENANT if TENANT in names else None
    counts = source.tenant_counts(name, column) if column else {"": source.count(name)}
    for tenant, count in counts.items():
        plan.tenants[tenant] = plan.tenants.get(tenant, 0) + count


def behind(source: Side) -> list[str]:
    """Each package whose tables in the source aren't as this code's migrations make them."""
    problems = []
    for package in PACKAGES:
        here, head = source.versions(package), heads_of(package)
        if not here:
            problems.append(
                f"source: {source.shown} has no {package} tables that `flask db` made. Is it the "
                "prototype's database?"
            )
        elif here != head:
            problems.append(
                f"source: {package} is at {', '.join(sorted(here))} and the code at "
                f"{', '.join(sorted(head))}. Bring it up to date first: "
                f"DATABASE_URL={source.shown} flask db upgrade {package}"
            )
    return problems


def unknown(
    tables: dict[str, Table], places: list[Place], made: dict[str, dict[str, Table]]
) -> list[str]:
    """Tables and columns of the source that no migration makes: they'd have no place to go."""
    problems = []
    for place in places:
        there = made[place.service].get(place.table)
        if there is None:
            problems.append(
                f"source: no migration of {place.service} makes the table {place.table}. Write one "
                f"(flask db revision), or leave it behind with --leave {place.table}."
            )
            continue
        columns = {column.name for column in there.columns}
        problems += [
            f"source: no migration of {place.service} makes the column {place.table}."
            f"{column.name}. Write one."
            for column in tables[place.table].columns
            if column.name not in columns
        ]
    return list(dict.fromkeys(problems))


def made_by_migrations(source: Side, targets: dict[str, str]) -> dict[str, dict[str, Table]]:
    """Each service's tables as the migrations make them, tried out where nothing stays.

    From PostgreSQL to PostgreSQL that's the target itself: another database may not know what a
    team's columns are, such as arrays.
    """
    servers = {
        service: source.dialect == "postgresql" and file_of(url) is None
        for service, url in targets.items()
    }
    return {
        service: rehearsed(url, service) if servers[service] else made_in_a_file(service)
        for service, url in targets.items()
    }


def made_in_a_file(service: str) -> dict[str, Table]:
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{(Path(folder) / 'tables.db').as_posix()}"
        migrate_target(url, service)
        side = opened(url, writing=False)
        try:
            return side.tables()
        finally:
            side.close()


def look_at_target(side: Side, service: str, source: Side | None, plan: Plan) -> None:
    run = Ledger(side).run()
    if run is None:
        full = [name for name in side.all_tables() if side.count(name)]
        strange = [name for name in full if not name.startswith("alembic_version")]
        if strange:
            plan.blockers.append(
                f"{service}: {side.shown} isn't empty ({', '.join(strange[:5])}). Promote fills "
                "empty databases only; give it a new one."
            )
    elif run.service != service:
        plan.blockers.append(f"{service}: {side.shown} is already being filled for {run.service}.")
    elif source is not None and run.source != source.shown:
        plan.blockers.append(
            f"{service}: {side.shown} is being filled from {run.source}. Go on with that, or empty "
            "it first: flask promote abandon"
        )
    elif run.phase == FINISHED:
        plan.blockers.append(
            f"{service}: {side.shown} is finished and may be in use. To start again, "
            "empty it first: flask promote abandon --finished"
        )
