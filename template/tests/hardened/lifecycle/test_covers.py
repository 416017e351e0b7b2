"""Every table that names a tenant is in its archive, and goes with it, or it's said why not."""

from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Table

from app.db import METADATA
from app.stages.hardened.lifecycle.archive import covers
from app.stages.hardened.lifecycle.deletion import rows as deletion
from tests.isolation import rows as made

# What a row must say so that the deletion has something to do with it, and nothing to wait for.
FITTING = {
    "auth_placements": {"target": ""},
    "auth_catalog": {"state": "active"},
    "auth_moves": {"state": "done", "open_key": None},
    "auth_operations": {"state": "done", "open_key": None},
}


def tables(*packages: str) -> list[Table]:
    return [one for package in packages for one in METADATA[package].sorted_tables]


def test_of_every_table_it_is_said_whether_an_archive_has_it(app):
    assert covers.undecided(tables("auth", "shared")) == []


def test_nothing_is_said_of_a_table_that_is_not_there(app):
    there = {one.name for one in tables("auth", "shared") if covers.names_a_tenant(one)}

    assert {*covers.AS_ROWS, *covers.AS_FACTS, *covers.LEFT} == there


def test_what_does_not_go_with_a_tenant_has_a_reason(app):
    known = {one.name for one in tables("auth", "shared")}

    assert deletion.KEPT.keys() <= known
    assert all(len(reason) > 20 for reason in {**covers.LEFT, **deletion.KEPT}.values())


@pytest.mark.parametrize(
    "column",
    [
        lambda: Column("tenant_id", sa.Uuid),
        lambda: Column("meant_tenant", sa.Uuid),
        lambda: Column("whose", ForeignKey("auth_tenants.id")),
        lambda: Column("role_id", ForeignKey("auth_roles.id")),
    ],
)
def test_a_table_that_a_later_migration_adds_is_found(app, column):
    later = sa.MetaData()
    for one in tables("auth"):
        one.to_metadata(later)
    Table("auth_later", later, Column("id", sa.Uuid, primary_key=True), column())

    assert covers.undecided(later.sorted_tables) == ["auth_later"]


def fill(world, seat) -> list[Table]:
    """A row in every table of auth that names a tenant; answers the tables."""
    rows = {"auth_tenants": {"id": seat.tenant.id}, "auth_users": {"id": seat.user_id}}
    naming = [one for one in tables("auth") if covers.names_a_tenant(one)]
    with world.app.app_context(), world.connect("auth") as connection:
        for table in naming:
            mine = naming_in(table, seat.tenant.id)
            found = connection.execute(sa.select(table).where(mine)).mappings().first()
            if found is None:
                made.add(connection, table, seat, "acme", rows)
                if table.name in FITTING:
                    connection.execute(sa.update(table).where(mine).values(FITTING[table.name]))
            else:
                rows[table.name] = dict(found)
    return naming


def naming_in(table: Table, tenant_id: UUID) -> sa.ColumnElement[bool]:
    """The rows of a table that name the tenant."""
    columns = [one for one in table.columns if "tenant" in one.name]
    if table.name == covers.TENANTS:
        columns = [table.c.id]
    assert columns, f"{table.name} names a tenant by what it refers to: say here how to find it"
    return sa.or_(*(one == tenant_id for one in columns))


@pytest.mark.postgres
def test_a_deletion_takes_the_rows_of_every_table_but_those_that_are_kept(world):
    seat = world.tenant("acme")
    naming = fill(world, seat)

    answer = world.flask("delete", "acme", "--yes")

    assert answer.exit_code == 0, answer.output
    with world.connect("auth") as connection:
        left = {
            table.name
            for table in naming
            if connection.scalar(
                sa.select(sa.func.count())
                .select_from(table)
                .where(naming_in(table, seat.tenant.id))
            )
        }
    assert left <= deletion.KEPT.keys(), left - deletion.KEPT.keys()
