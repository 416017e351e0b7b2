"""What other packages may ask analytics."""

from app import events
from app.tenancy import current_tenant

RECORDED = "analytics.recorded"


def record(name: str, /, **facts: object) -> None:
    """Say that something happened: `analytics.record("project created", project=project.id)`.

    It counts once the caller's transaction commits; a rollback takes it back. Call it before the
    commit. The name says what kind of thing happened, in plain words; what varies (ids, amounts)
    goes into the facts, which are JSON values, UUIDs and moments. Who did it and when are noted
    by themselves. Raises `NoTenant` where no tenant is served.
    """
    current_tenant()
    events.publish(RECORDED, what=name, facts=facts)
