"""The policies that keep each tenant's rows apart, made from the tables as they are.

They are made when tables were migrated, by the owner, so no table can be forgotten, a team's own
included. What stands already is left alone; what somebody dropped is put back.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from flask import Flask
from sqlalchemy import Connection, make_url, text

from app.db import METADATA, PACKAGES, owns

Kind = Literal["tenant", "shared"]
OBJECTS = Path(__file__).with_name("schema.sql")

# One setting, and the column as it is: anything dearer is asked for each row, or finds no index.
TENANT = "(SELECT nullif(current_setting('app.tenant_id', true), '')::uuid)"
QUALS: dict[str, str] = {
    # A tenant's rows are its own.
    "tenant": f"tenant_id = {TENANT}",
    # What a process keeps for all tenants: theirs in their transactions, all of it in the sweeps.
    "shared": f"tenant_id = {TENANT} OR {TENANT} IS NULL",
    # Whoever migrates or moves data says so; else the owner is walled like everybody.
    "at_work": "(SELECT current_setting('app.at_work', true)) = 'on'",
}

TABLES = """
SELECT c.oid, c.relname, c.oid::regclass::text AS quoted, c.relrowsecurity AND c.relforcerowsecurity
       AS forced, pg_get_userbyid(c.relowner) AS owner
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    AND a.atttypid = 'uuid'::regtype
WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_'
  AND n.nspname NOT IN ('information_schema', 'hardened')
ORDER BY c.relname
"""
POLICIES = """
SELECT polrelid, polname, polcmd, polpermissive, polroles::oid[]::text AS roles,
       pg_get_expr(polqual, polrelid) AS qual, pg_get_expr(polwithcheck, polrelid) AS checked
FROM pg_policy
"""


@dataclass(frozen=True, slots=True)
class Wall:
    """What should stand around a table."""

    oid: int
    name: str
    quoted: str
    owner: str
    forced: bool
    kind: Kind


def init_app(app: Flask) -> None:
    def build_after_migrating(package: str, connection: Connection) -> None:
        role = make_url(app.config["SETTINGS"].database_url_of(package)).username
        build(connection, package, role)

    app.extensions["after_migrating"].append(build_after_migrating)


def build(connection: Connection, package: str, role: str | None, kind: str = "pool") -> None:
    """Make what is missing around a package's tables, for an application that works as `role`.

    `kind` says what a database is that has no walls yet: the pool, or a silo.
    """
    if connection.dialect.name != "postgresql":
        return
    make_objects(connection, role, kind)
    standing = policies_by_table(connection)
    example = standing[oid_of(connection, "hardened.example")]
    for wall in walls(connection, package):
        if not wall.forced:
            for verb in ("ENABLE", "FORCE"):
                connection.execute(text(f"ALTER TABLE {wall.quoted} {verb} ROW LEVEL SECURITY"))
        for name in (wall.kind, "at_work"):
            raise_policy(connection, wall, name, standing.get(wall.oid, {}), example)
    connection.commit()


def make_objects(connection: Connection, role: str | None, kind: str) -> None:
    """The schema `hardened`: placements, the function that begins, and the policies' example."""
    for statement in OBJECTS.read_text("utf-8").split("\n--\n"):
        connection.exec_driver_sql(statement)
    connection.execute(
        text("INSERT INTO hardened.kind SELECT :kind WHERE NOT EXISTS (SELECT FROM hardened.kind)"),
        {"kind": kind},
    )
    # The server writes a policy its own way. So one of each stands here, to compare with.
    for name, qual in QUALS.items():
        connection.exec_driver_sql(
            f"CREATE POLICY hardened_{name} ON hardened.example USING ({qual})"
        )
    for grant in grants_to(connection, role) if role else ():
        connection.exec_driver_sql(grant)


def grants_to(connection: Connection, role: str) -> Iterator[str]:
    name = connection.dialect.identifier_preparer.quote(role)
    yield f"GRANT USAGE ON SCHEMA hardened TO {name}"
    yield f"GRANT SELECT ON hardened.placements, hardened.kind TO {name}"
    yield f"GRANT EXECUTE ON PROCEDURE hardened.enter(uuid, bigint) TO {name}"


def walls(connection: Connection, package: str) -> Iterator[Wall]:
    """Around each table of a package with a `tenant_id`, whether a model stands for it or not."""
    if package == "auth":
        return  # Its tables say who may enter a tenant, so they are read before one is entered.
    for row in connection.execute(text(TABLES)).all():
        if owns(package, row.relname):
            yield Wall(
                row.oid,
                row.relname,
                row.quoted,
                row.owner,
                row.forced,
                kind_of(package, row.relname),
            )


def kind_of(package: str, name: str) -> Kind:
    """Whether a table's rows are a tenant's alone, or found by sweeps and webhooks, too."""
    return "shared" if package == "shared" or exception_of(package, name) else "tenant"


def exception_of(package: str, name: str) -> str:
    """Why the model says that its table is read where no tenant is set; empty if it doesn't."""
    table = METADATA[package].tables.get(name)
    return str(table.info.get("spans_tenants", "")) if table is not None else ""


def policies_by_table(connection: Connection) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for row in connection.execute(text(POLICIES)).all():
        found.setdefault(row.polrelid, {})[row.polname] = row
    return found


def raise_policy(
    connection: Connection, wall: Wall, name: str, here: dict[str, Any], example: dict[str, Any]
) -> None:
    """Make a policy, unless it stands as it should. Readers wait only where something changes."""
    policy = f"hardened_{name}"
    if stands(here.get(policy), example[policy], name):
        return
    owner = connection.dialect.identifier_preparer.quote(wall.owner)
    to = owner if name == "at_work" else "PUBLIC"
    for other in [one for one in here if one == policy or one in other_kinds(name)]:
        connection.exec_driver_sql(f"DROP POLICY {other} ON {wall.quoted}")
    connection.exec_driver_sql(
        f"CREATE POLICY {policy} ON {wall.quoted} TO {to} "
        f"USING ({QUALS[name]}) WITH CHECK ({QUALS[name]})"
    )


def other_kinds(name: str) -> set[str]:
    """A table that has become one of the other kind keeps no policy of the first."""
    return (
        {"hardened_tenant", "hardened_shared"} - {f"hardened_{name}"}
        if name != "at_work"
        else set()
    )


def stands(policy: Any, example: Any, name: str) -> bool:
    return (
        policy is not None
        and policy.polcmd == "*"
        and policy.polpermissive
        and policy.qual == policy.checked == example.qual
        and (name == "at_work" or policy.roles == "{0}")
    )


def oid_of(connection: Connection, name: str) -> int:
    return int(connection.scalar(text("SELECT CAST(:name AS regclass)::oid"), {"name": name}) or 0)


def packages() -> tuple[str, ...]:
    """Those whose tables have walls."""
    return tuple(package for package in PACKAGES if package != "auth")
