"""Every database of the installation: those with a tenant's rows, and those that only name it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from uuid import UUID

from app.stages.hardened.lifecycle import places
from app.stages.hardened.lifecycle.database import Database


@contextmanager
def opened(tenant_id: UUID) -> Iterator[dict[str, Database]]:
    """Auth's database, each pool, and each silo of this tenant's, by name."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(Database(url, name))
            for name, url in places.everywhere(tenant_id).items()
        }
