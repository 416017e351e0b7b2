"""What of auth's an archive holds of a tenant, and what it leaves out, each with its reason.

The tables of the other packages need no list: those with a `tenant_id` are in an archive. Auth's
tables and those that a process keeps for itself span tenants, so somebody has to decide. A test
fails while a table that names a tenant stands in neither list.
"""

from collections.abc import Iterable

from sqlalchemy import Table

PEOPLE, INVITATIONS, KEYS = "people.ndjson", "invitations.ndjson", "keys.ndjson"
MANIFEST = "manifest.json"
FACTS = (PEOPLE, INVITATIONS, KEYS)

# Row by row, but for the columns that are secrets. In an order that foreign keys allow.
AS_ROWS: dict[str, frozenset[str]] = {
    "auth_roles": frozenset(),
    "auth_role_permissions": frozenset(),
    "auth_sign_in_rules": frozenset(),
    "auth_sso": frozenset({"client_secret"}),
}
# As facts, in a file of their own: they name people, who have other ids elsewhere, or secrets.
AS_FACTS = {
    "auth_tenants": MANIFEST,
    "auth_memberships": PEOPLE,
    "auth_member_roles": PEOPLE,
    "auth_sso_links": PEOPLE,
    "auth_invitations": INVITATIONS,
    "auth_invitation_roles": INVITATIONS,
    "auth_tokens": KEYS,
    "auth_key_limits": KEYS,
}
LEFT = {
    "auth_sessions": "a session is a person's and a browser's; after an import people log in",
    "auth_catalog": "state, tier and region are what one installation has agreed to",
    "auth_placements": "where the rows are is an installation's own",
    "auth_moves": "a move is of the databases of one installation",
    "auth_operations": "what operators did is the installation's own record",
    "auth_fleet_silos": "it says at which migration a silo of this installation is",
    "auth_fleet_visits": "it says which run has migrated a silo of this installation",
    "shared_audit": "the trail proves what happened here only where it was written",
    "shared_jobs": "a job that ran there would run again here",
    "shared_outbox": "an event that was told there would be told again here",
    "shared_idempotency": "an answer is kept for a request that was sent there",
}
# Where a tenant's own row is.
TENANTS = "auth_tenants"


def names_a_tenant(table: Table) -> bool:
    """Whether a table says of which tenant its rows are: by a column, or by a foreign key."""
    parents = {key.column.table for key in table.foreign_keys} - {table}
    return (
        table.name == TENANTS
        or any("tenant" in column.name for column in table.columns)
        or any(map(names_a_tenant, parents))
    )


def undecided(tables: Iterable[Table]) -> list[str]:
    """Tables that name a tenant, of which nobody has said whether they are in an archive."""
    decided = {*AS_ROWS, *AS_FACTS, *LEFT}
    return sorted(one.name for one in tables if names_a_tenant(one) and one.name not in decided)
