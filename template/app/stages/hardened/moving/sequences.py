"""Keys that count up go on counting where the other database had come to."""

import psycopg
from psycopg import sql

from app.stages.hardened.moving.tables import Table

OWNED = (
    "SELECT s.relname, pg_sequence_last_value(s.oid) FROM pg_class s "
    "JOIN pg_depend d ON d.objid = s.oid AND d.deptype IN ('a', 'i') "
    "JOIN pg_class t ON t.oid = d.refobjid "
    "WHERE s.relkind = 'S' AND s.relnamespace = 'public'::regnamespace AND t.relname = ANY(%s)"
)


def carry_sequences(
    source: psycopg.Connection, target: psycopg.Connection, tables: list[Table]
) -> None:
    """Ours have none; a team's table may. A number is left out rather than given twice."""
    names = [table.name for table in tables]
    there: dict[str, int | None] = dict(target.execute(OWNED, (names,)).fetchall())
    for name, value in source.execute(OWNED, (names,)).fetchall():
        if value is not None and value > (there.get(name) or 0):
            target.execute(
                "SELECT setval(%s::regclass, %s)",
                (sql.Identifier("public", name).as_string(target), value),
            )
