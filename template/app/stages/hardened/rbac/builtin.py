"""Built-in roles, made of what the packages and features declare: nobody lists permissions twice.

Owner and member are auth's. Two more can be given like a tenant's own: **admin** may do whatever
can be done, but can't touch owners nor make any; **viewer** sees what members see and changes
nothing: of a member's permissions those whose names end in `:read`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID, uuid5

from flask import current_app

from app.access import Permission

# Stands among a role's permissions for all that a built-in role includes; no permission is
# called like that, for a declared one has a package's or a feature's name in front.
MARK = "built-in:"


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A role that every tenant has."""

    key: str
    about: str
    includes: Callable[[str, Permission], bool]

    @property
    def name(self) -> str:
        return self.key.capitalize()

    @property
    def mark(self) -> str:
        """What the table of permissions holds for it."""
        return MARK + self.key

    def id_for(self, tenant_id: UUID) -> UUID:
        """Its id in a tenant: known before the tenant has used it."""
        return uuid5(tenant_id, self.mark)

    def permissions(self) -> list[str]:
        """What it includes, as the code is."""
        return [name for name, one in declared().items() if self.includes(name, one)]


OWNER = BuiltIn("owner", "May do everything, and makes owners.", lambda *_: True)
ADMIN = BuiltIn(
    "admin", "May do everything, but not make, change or remove owners.", OWNER.includes
)
MEMBER = BuiltIn("member", "Does the daily work.", lambda _, one: one.member)
VIEWER = BuiltIn(
    "viewer",
    "Sees what members see, and changes nothing.",
    lambda name, one: one.member and name.endswith(":read"),
)
ALL = (OWNER, ADMIN, MEMBER, VIEWER)
# Those that are given like a tenant's own; owner and member stand in the membership itself.
GIVEN = {one.mark: one for one in (ADMIN, VIEWER)}


def declared() -> dict[str, Permission]:
    """Every permission that the code has."""
    known: dict[str, Permission] = current_app.extensions["permissions"]
    return known


def with_id(tenant_id: UUID, role_id: UUID) -> BuiltIn | None:
    """The built-in role that has this id in a tenant."""
    return next((one for one in GIVEN.values() if one.id_for(tenant_id) == role_id), None)


def effective(kept: Iterable[str]) -> set[str]:
    """What the permissions that stand in roles allow: what the code doesn't have allows nothing."""
    known = declared()
    allowed: set[str] = set()
    for name in kept:
        if name in GIVEN:
            allowed.update(GIVEN[name].permissions())
        elif name in known:
            allowed.add(name)
    return allowed


def vanished(kept: Iterable[str]) -> list[str]:
    """Those that stand in a role though the code has them no more."""
    return [name for name in kept if name not in GIVEN and name not in declared()]
