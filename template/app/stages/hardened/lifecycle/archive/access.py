"""Who may do what in a tenant, as an archive tells it: people, roles, rules, single sign-on, keys.

Auth's rows are read in one state, as the others are. What is a secret stays: passwords, the hashes
of keys and links, the secret by which we're known to a tenant's provider.
"""

import hashlib
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from app.encryption import encrypt
from app.stages.hardened.lifecycle import places
from app.stages.hardened.lifecycle.archive import covers
from app.stages.hardened.lifecycle.archive.files import Reader, Writer, line_of, name_of
from app.stages.hardened.lifecycle.archive.writing import (
    refuse_difference,
    refuse_other_migrations,
    rows_of,
)
from app.stages.hardened.lifecycle.database import Database

PEOPLE = """
SELECT json_build_object('id', u.id, 'email', u.email, 'name', u.name, 'role', m.role,
  'roles', ARRAY(SELECT r.id FROM auth_member_roles h
    JOIN auth_roles r ON r.tenant_id = h.tenant_id AND r.id = h.role_id
    WHERE h.tenant_id = m.tenant_id AND h.user_id = m.user_id ORDER BY r.name_norm, r.id),
  'subjects', (SELECT coalesce(json_agg(json_build_object('issuer', l.issuer, 'subject', l.subject)
    ORDER BY l.issuer, l.subject), '[]') FROM auth_sso_links l
    WHERE l.tenant_id = m.tenant_id AND l.user_id = m.user_id))
FROM auth_memberships m JOIN auth_users u ON u.id = m.user_id
WHERE m.tenant_id = %s ORDER BY u.email_norm
"""
INVITATIONS = """
SELECT json_build_object('email', i.email, 'role', i.role, 'expires_at', i.expires_at,
  'roles', ARRAY(SELECT h.role_id FROM auth_invitation_roles h
    WHERE h.tenant_id = i.tenant_id AND h.invitation_id = i.id))
FROM auth_invitations i WHERE i.tenant_id = %s AND i.expires_at > now() ORDER BY i.email_norm
"""
KEYS = """
SELECT json_build_object('id', k.id, 'name', k.name, 'prefix', k.prefix, 'person', u.email,
  'scopes', l.scopes, 'created_at', k.created_at, 'last_used_at', k.last_used_at,
  'expires_at', l.expires_at, 'revoked_at', k.revoked_at)
FROM auth_tokens k JOIN auth_users u ON u.id = k.user_id
LEFT JOIN auth_key_limits l ON l.tenant_id = k.tenant_id AND l.token_id = k.id
WHERE k.tenant_id = %s ORDER BY k.created_at, k.id
"""
ASKED = {covers.PEOPLE: PEOPLE, covers.INVITATIONS: INVITATIONS, covers.KEYS: KEYS}


def opened() -> Database:
    """Auth's database, as the owner at work."""
    return Database(places.pool_of("auth"), "auth")


def export(archive: Writer, tenant_id: UUID) -> int:
    """Add what auth keeps of a tenant to an archive; answers how many rows of tables that is."""
    with opened() as auth, auth.transaction(snapshot=True):
        archive.manifest.migrations["auth"] = auth.migrations("auth")
        for name, asked in ASKED.items():
            archive.add(name, (row[0] for row in auth.rows(asked, tenant_id)))
        return sum(
            archive.add(name_of("auth", table), rows_in(auth, table, tenant_id)).rows
            for table in covers.AS_ROWS
        )


def rows_in(auth: Database, table: str, tenant_id: UUID) -> Iterator[dict[str, Any]]:
    """A tenant's rows of one of auth's tables, without what is secret."""
    secret = covers.AS_ROWS[table]
    for row in auth.read(auth.tables()[table], tenant_id):
        yield {name: value for name, value in row.items() if name not in secret}


def refuse_unfit(archive: Reader) -> None:
    """Raises `AnotherRelease` where auth's tables aren't as those that the archive comes from."""
    with opened() as auth:
        refuse_other_migrations("auth", archive, auth.migrations("auth"))


def has_sign_on(archive: Reader) -> bool:
    """Whether the tenant has a provider of its own, whose secret has to be entered again."""
    return any(archive.rows(name_of("auth", "auth_sso")))


def put(archive: Reader) -> int:
    """Write roles, rules and single sign-on of a tenant that has no people as yet."""
    tenant_id, written = archive.tenant_id, 0
    with opened() as auth, auth.transaction():
        tables = auth.tables()
        for table in reversed(covers.AS_ROWS):
            auth.delete(table, tenant_id)
        for table, secret in covers.AS_ROWS.items():
            name = name_of("auth", table)
            if name in archive.manifest.files:
                rows = rows_of(archive, name, tables[table], secret)
                filled = (row | dict.fromkeys(secret, encrypt("")) for row in rows)
                written += auth.load(tables[table], filled, tenant_id)
            digest = hashlib.sha256()
            for row in rows_in(auth, table, tenant_id):
                digest.update(line_of(row))
            refuse_difference(archive, name, table, digest.hexdigest())
    return written
