"""Looking at each silo, many at once: which migrations it has, or why nobody can tell."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from app.stages.hardened.silos.places import Place
from app.stages.hardened.silos.versions import version_of

AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Look:
    """A silo as it is right now."""

    place: Place
    version: str
    problem: str = ""


def look(place: Place) -> Look:
    try:
        with place.opened() as connection:
            return Look(place, version_of(connection, place.service))
    except Exception as error:
        return Look(place, "", str(error).strip() or type(error).__name__)


def look_at_all(
    places: Sequence[Place], watch: Callable[[int], None] = lambda _: None
) -> list[Look]:
    """Every silo, in the order given; `watch` is told how many have been looked at."""
    with ThreadPoolExecutor(AT_ONCE, "looking") as pool:
        return list(counted(pool.map(look, places), watch))


def counted(looks: Iterator[Look], watch: Callable[[int], None]) -> Iterator[Look]:
    for number, found in enumerate(looks, start=1):
        watch(number)
        yield found
