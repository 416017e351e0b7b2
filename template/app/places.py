"""Places: a later stage may keep a tenant's rows apart, those of jobs and events among them.

A message about a row says then in whose place the row is: `queue.ask("run_job", id, *here())`.
Where all rows are in one place there is nothing to say.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from flask import current_app

from app.tenancy import Tenant, serving, tenant_or_none


def here() -> tuple[str, ...]:
    """What a message says of the place that we work in."""
    return of(tenant_or_none())


def of(tenant: Tenant | None) -> tuple[str, ...]:
    """What a message says of a tenant's place; nothing where everybody's rows are together."""
    if tenant is None or "route" not in current_app.extensions:
        return ()
    return str(tenant.id), tenant.slug, tenant.name


@contextmanager
def at(*place: str) -> Iterator[None]:
    """Work in the place that a message named."""
    if not place:
        yield
        return
    with serving(tenant_in(place)):
        yield


def tenant_in(place: tuple[str, ...]) -> Tenant:
    """Whose place it is."""
    tenant_id, slug, name = place
    return Tenant(UUID(tenant_id), slug, name)
