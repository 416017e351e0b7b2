"""The tenant being served. It lives on `flask.g`, so it dies with the request or the job."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from flask import current_app, g


class NoTenant(LookupError):
    """Tenant-owned data was touched while no tenant was set."""


class WrongTenant(PermissionError):
    """A row of one tenant was touched while another was being served."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """A customer: its id, the slug in its URLs and the name people know it by."""

    id: UUID
    slug: str
    name: str


def tenant_or_none() -> Tenant | None:
    """The tenant being served, if there is one."""
    tenant: Tenant | None = g.get("tenant")
    return tenant


def current_tenant() -> Tenant:
    """The tenant being served.

    Raises `NoTenant` where there is none: outside `/t/<slug>/`, or outside `serving(...)`.
    """
    tenant = tenant_or_none()
    if tenant is None:
        raise NoTenant(
            "No tenant is set. In a view, guard it with @requires(...); elsewhere, "
            "wrap the work in `with serving(tenant):`."
        )
    return tenant


def enter(tenant: Tenant) -> None:
    """Serve this tenant until the request ends. One context serves one tenant only."""
    here = tenant_or_none()
    if here is not None and here.id != tenant.id:
        raise WrongTenant(f"Already serving {here.slug}: use `with serving(tenant):` for another.")
    g.tenant = tenant


@contextmanager
def serving(tenant: Tenant | None) -> Iterator[None]:
    """Serve a tenant in a context of its own, with a database session of its own."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    with app.app_context():
        if tenant is not None:
            enter(tenant)
        yield


def key(kind: str, *parts: object) -> str:
    """A name for a cache entry, file or lock that no other tenant can share."""
    return ":".join(["t", str(current_tenant().id), *map(apart, (kind, *parts))])


def apart(part: object) -> str:
    """A part without the sign that stands between parts: ("a", "b:c") isn't ("a:b", "c")."""
    return str(part).replace("%", "%25").replace(":", "%3A")
