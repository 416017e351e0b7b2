"""The whole of it in one table: each permission, who has it, and the routes that need it."""

from dataclasses import dataclass

from flask import current_app

from app.access import access_of
from app.routes import methods_of
from app.stages.hardened.rbac import builtin, defining


@dataclass(frozen=True, slots=True)
class Row:
    """A permission."""

    permission: str
    title: str
    roles: dict[str, bool]
    routes: list[str]


def roles_here(own: bool) -> dict[str, set[str]]:
    """What each role allows: the built-in ones, and if wanted the current tenant's own."""
    found = {one.key: set(one.permissions()) for one in builtin.ALL}
    if own:
        for role in defining.all_roles():
            if not defining.is_built_in(role):
                found[role.name] = builtin.effective(role.kept)
    return found


def rows(*, own: bool = False) -> list[Row]:
    """A row for each permission that the code declares."""
    roles = roles_here(own)
    routes: dict[str, list[str]] = {}
    for rule in current_app.url_map.iter_rules():
        permission = access_of(current_app, rule.endpoint).permission
        routes.setdefault(permission, []).append(f"{methods_of(rule)} {rule.rule}")
    return [
        Row(
            name,
            one.title,
            {role: name in allowed for role, allowed in roles.items()},
            sorted(routes.get(name, [])),
        )
        for name, one in sorted(builtin.declared().items())
    ]
