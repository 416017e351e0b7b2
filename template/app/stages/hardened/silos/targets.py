"""Silos as the catalog knows them."""

from uuid import UUID

from app.stages.hardened.catalog import passwords
from app.stages.hardened.catalog.places import Target
from app.stages.hardened.silos import create
from app.stages.hardened.silos.names import Passwords, Silo, database_of, owner_of
from app.stages.hardened.silos.server import administrators

PORT = 5432


def target_for(admin: str, service: str, tenant_id: UUID) -> Target:
    """A tenant's silo on the administrator's server, as a target; whether it's there or not.

    Its passwords are derived, so to ask twice is to get the same.
    """
    server = administrators(admin)
    database = database_of(service, tenant_id)
    return Target(
        database,
        service,
        "silo",
        server.host or "",
        server.port or PORT,
        database,
        database,
        owner_of(database),
        passwords.new_ref(service),
        {"sslmode": ssl} if (ssl := server.query.get("sslmode")) else {},
    )


def make(admin: str, target: Target, tenant_id: UUID) -> Silo:
    """Make the silo that a target describes, with the passwords that the target names."""
    of_app, of_owner = passwords.password_of(target), passwords.password_of(target, "owner")
    return create.make(admin, target.service, tenant_id, Passwords(of_app, of_owner))
