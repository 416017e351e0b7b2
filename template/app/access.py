"""Access: every view says who may call it, and the application refuses to start if one doesn't."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from flask import Flask, current_app, request
from flask_login import current_user

from app.errors import NotAllowed
from app.tenancy import tenant_or_none

View = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call a view: anybody, anybody signed in, or holders of a permission.

    A later stage may know another kind of people, who are nothing in a tenant.
    """

    kind: str
    permission: str = ""


@dataclass(frozen=True, slots=True)
class Permission:
    """Something that a role may allow. Owners hold every permission; members those marked so."""

    title: str
    member: bool = False


class UndeclaredAccess(SystemExit):
    """A view doesn't say who may call it."""


def public(view: View) -> View:
    """Anybody may call this view."""
    view.access = Access("public")  # type: ignore[attr-defined]
    return view


def login_required(view: View) -> View:
    """Anybody who is signed in may call this view, in a tenant or outside."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if not current_user.is_authenticated:
            return current_app.login_manager.unauthorized()  # type: ignore[attr-defined]
        return view(*args, **kwargs)

    guarded.access = Access("signed_in")  # type: ignore[attr-defined]
    return guarded


def requires(permission: str) -> Callable[[View], View]:
    """Only holders of this permission in the current tenant may call the view."""

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if not current_user.is_authenticated:
                return current_app.login_manager.unauthorized()  # type: ignore[attr-defined]
            if tenant_or_none() is None:
                return current_app.extensions["choose_tenant"]()
            if not current_user.can(permission):
                raise NotAllowed(f"Your role doesn't include “{title_of(permission)}”.")
            return view(*args, **kwargs)

        guarded.access = Access("permission", permission)  # type: ignore[attr-defined]
        return guarded

    return guard


def declare(app: Flask, permissions: dict[str, Permission]) -> None:
    """Make a package's or a feature's permissions known."""
    app.extensions.setdefault("permissions", {}).update(permissions)


def title_of(permission: str) -> str:
    title: str = current_app.extensions["permissions"][permission].title
    return title


def refuse_undeclared(app: Flask) -> None:
    """Refuse to start with a view that nobody thought about, or a permission nobody declared."""
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        access = getattr(view, "access", None)
        if rule.endpoint == "static" or rule.endpoint.endswith(".static"):
            continue
        if access is None:
            raise UndeclaredAccess(
                f"{rule.endpoint} ({rule.rule}) doesn't say who may call it: put "
                '@requires("..."), @login_required or @public from app.auth under its route.'
            )
        if access.permission and access.permission not in app.extensions["permissions"]:
            raise UndeclaredAccess(
                f"{rule.endpoint} requires {access.permission!r}, which no PERMISSIONS declares."
            )


def access_of(app: Flask, endpoint: str) -> Access:
    """What a view declared."""
    view: Any = app.view_functions[endpoint]
    access: Access = view.access
    return access


def is_api() -> bool:
    """Whether the request is for the JSON API."""
    return request.path.startswith("/api/")
