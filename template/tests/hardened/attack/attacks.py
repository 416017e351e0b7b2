"""The attacks: each is a function that tries something on a field, and records what came of it."""

from collections.abc import Callable
from dataclasses import dataclass

from app.stages.hardened.attack.record import Attack
from tests.hardened.attack.field import Field

Doing = Callable[[Field, Attack], None]


@dataclass(frozen=True)
class Kind:
    """An attack that can be made: on which layers alone, and whether it needs PostgreSQL."""

    name: str
    about: str
    do: Doing
    layers: tuple[str, ...]
    postgres: bool

    def made_on(self, field: Field) -> Attack:
        made = Attack(self.name, self.about)
        self.do(field, made)
        return made


KINDS: dict[str, Kind] = {}


def attack(
    name: str, *, layers: tuple[str, ...] = ("all",), postgres: bool = False
) -> Callable[[Doing], Doing]:
    """Make a function an attack. Its docstring says what it tries.

    `layers` names those at which it's made: `orm` and `database` are each of them alone.
    """

    def keep(do: Doing) -> Doing:
        about = (do.__doc__ or "").strip()
        KINDS[name] = Kind(name, about, do, layers, postgres)
        return do

    return keep
