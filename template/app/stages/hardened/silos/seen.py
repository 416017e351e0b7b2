"""What was seen of each silo when somebody last looked: for `status`, and for the metric."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from app.stages.hardened.silos.models import Seen
from app.stages.hardened.silos.places import Place
from app.stages.hardened.silos.versions import target_of


@dataclass(frozen=True, slots=True)
class Behind:
    """A service's silos: how many there are, how many lack migrations, how many don't answer."""

    service: str
    silos: int
    behind: int
    away: int


def note_seen(connection: Connection, place: Place, version: str, problem: str) -> None:
    note(connection, place, {"version": version, "problem": problem})


def note_problem(connection: Connection, place: Place, problem: str) -> None:
    """Note why nobody could look; the version is as it was."""
    note(connection, place, {"problem": problem})


def note(connection: Connection, place: Place, found: dict[str, str]) -> None:
    whole: dict[str, Any] = {"version": "", "problem": "", **found}
    connection.execute(
        insert(Seen)
        .values(
            place=place.name,
            service=place.service,
            tenant_id=place.tenant_id,
            seen_at=func.now(),
            **whole,
        )
        .on_conflict_do_update(index_elements=["place"], set_={**found, "seen_at": func.now()})
    )


def forget_all_but(connection: Connection, places: Iterable[str]) -> None:
    """Forget the silos that aren't there any more."""
    connection.execute(delete(Seen).where(Seen.place.not_in(list(places))))


def behind(connection: Connection) -> list[Behind]:
    """How each service's silos stand to this code, as they were last seen."""
    found: dict[str, list[tuple[str, str]]] = {}
    asked = select(Seen.service, Seen.version, Seen.problem)
    for service, version, problem in connection.execute(asked):
        found.setdefault(service, []).append((version, problem))
    return [behind_of(service, silos) for service, silos in sorted(found.items())]


def behind_of(service: str, silos: list[tuple[str, str]]) -> Behind:
    aim = target_of(service)
    late = sum(version != aim for version, _ in silos)
    return Behind(service, len(silos), late, sum(bool(problem) for _, problem in silos))
