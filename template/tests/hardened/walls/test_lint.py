"""Every rule finds what it's about, and only the walls that stand let anything start."""

import os
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import make_url

from app import health
from app.db import db, reading
from app.dev.postgres import programs
from app.stages.hardened.walls import lint
from app.stages.hardened.walls.start import OpenWalls
from tests.databases import owner_of
from tests.ops.server import Server

KEYED = "tenant_id uuid NOT NULL, id uuid NOT NULL, PRIMARY KEY (tenant_id, id)"

# How a hole is made, how it's mended where migrating again doesn't, and the rule that finds it.
HOLES = {
    "row security": ("ALTER TABLE projects DISABLE ROW LEVEL SECURITY", ""),
    "forced": ("ALTER TABLE projects NO FORCE ROW LEVEL SECURITY", ""),
    "policy": ("ALTER POLICY hardened_tenant ON projects USING (true)", ""),
    "second policy": (
        "CREATE POLICY mine ON projects USING (name <> '')",
        "DROP POLICY mine ON projects",
    ),
    "tenant_id may be null": ("CREATE TABLE hole (tenant_id uuid)", "DROP TABLE hole"),
    "type of tenant_id": ("CREATE TABLE hole (tenant_id text NOT NULL)", "DROP TABLE hole"),
    "primary key": (
        "CREATE TABLE hole (tenant_id uuid NOT NULL, id uuid PRIMARY KEY)",
        "DROP TABLE hole",
    ),
    "unique without the tenant": (
        f"CREATE TABLE hole ({KEYED}, name text UNIQUE)",
        "DROP TABLE hole",
    ),
    "foreign key without the tenant": (
        f"CREATE TABLE hole ({KEYED}, x uuid UNIQUE, y uuid REFERENCES hole (x))",
        "DROP TABLE hole",
    ),
    "no tenant_id": (
        "CREATE TABLE hole (t uuid, p uuid, FOREIGN KEY (t, p) REFERENCES projects)",
        "DROP TABLE hole",
    ),
    "role may too much": (
        "GRANT TRUNCATE ON projects TO {app}",
        "REVOKE TRUNCATE ON projects FROM {app}",
    ),
    "no way in": ("REVOKE EXECUTE ON PROCEDURE hardened.enter(uuid, bigint) FROM {app}", ""),
    "view": (
        "CREATE VIEW hole AS SELECT * FROM projects; GRANT SELECT ON hole TO {app}",
        "DROP VIEW hole",
    ),
    "materialised view": (
        "CREATE MATERIALIZED VIEW hole AS SELECT * FROM projects; GRANT SELECT ON hole TO {app}",
        "DROP MATERIALIZED VIEW hole",
    ),
    "function with its owner's rights": (
        "CREATE FUNCTION hole() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
        "DROP FUNCTION hole()",
    ),
    "sequence": (
        f"CREATE TABLE hole ({KEYED}, number serial)",
        "DROP TABLE hole",
    ),
    "index that isn't used": (
        "CREATE INDEX hole ON projects (tenant_id, lower(name))",
        "DROP INDEX hole",
    ),
}


def found(app) -> set[str]:
    with app.app_context(), reading(None) as connection:
        return {one.rule for one in lint.findings(connection)}


@pytest.mark.parametrize("rule", HOLES)
def test_a_hole_is_found(app, by_owner, database_url, rule):
    role = f'"{make_url(database_url).username}"'
    make, mend = (words.replace("{app}", role) for words in HOLES[rule])
    assert rule not in found(app)
    try:
        by_owner(*make.split("; "))

        assert rule in found(app)
    finally:
        by_owner(*filter(None, mend.split("; ")))


ROLES = {
    "role": ("ALTER ROLE {app} BYPASSRLS", "ALTER ROLE {app} NOBYPASSRLS"),
    "role is a member": ("GRANT {owner} TO {app}", "REVOKE {owner} FROM {app}"),
    "role owns": ("ALTER TABLE projects OWNER TO {app}", "ALTER TABLE projects OWNER TO {owner}"),
}


@pytest.mark.parametrize("rule", ROLES)
def test_a_role_that_may_too_much_is_found(app, as_admin, database_url, rule):
    name = make_url(database_url).database
    make, mend = (
        words.replace("{app}", f'"{name}_app"').replace("{owner}", f'"{name}_owner"')
        for words in ROLES[rule]
    )
    try:
        as_admin(make)

        assert rule in found(app)
    finally:
        as_admin(mend)
    assert rule not in found(app)


def test_a_function_that_was_reviewed_is_let_be(app, by_owner):
    function = "CREATE FUNCTION hole() RETURNS int LANGUAGE sql SECURITY DEFINER"
    try:
        by_owner(
            f"{function} SET search_path = pg_catalog AS 'SELECT 1'",
            "COMMENT ON FUNCTION hole() IS 'reviewed: it answers 1 to everybody'",
        )
        assert "function with its owner's rights" not in found(app)
    finally:
        by_owner("DROP FUNCTION hole()")


def test_a_view_that_looks_with_its_readers_eyes_is_let_be(app, by_owner, database_url):
    role = f'"{make_url(database_url).username}"'
    try:
        by_owner(
            "CREATE VIEW hole WITH (security_invoker = true) AS SELECT * FROM projects",
            f"GRANT SELECT ON hole TO {role}",
        )
        assert "view" not in found(app)
    finally:
        by_owner("DROP VIEW hole")


def test_nothing_is_refused_where_the_walls_stand(app):
    with app.app_context(), reading(None) as connection:
        assert lint.refusals(connection) == []
    health.refuse_to_start(app)


def test_the_application_refuses_to_start_and_says_where(app, by_owner):
    by_owner("ALTER TABLE projects DISABLE ROW LEVEL SECURITY")

    with pytest.raises(OpenWalls, match="projects has no row-level security"):
        health.refuse_to_start(app)
    ready = app.test_client().get("/readyz")
    assert (ready.status_code, ready.json["checks"]["walls"]) == (
        503,
        "1 open: `flask walls` lists them",
    )


def test_a_database_that_is_away_is_no_refusal(make_app):
    away = make_app(database_url="postgresql+psycopg://nobody@127.0.0.1:1/none")

    health.refuse_to_start(away)


def test_flask_walls_shows_each_table_and_ends_with_1_where_one_is_open(app, by_owner):
    shown = app.test_cli_runner().invoke(args=["walls"])
    assert shown.exit_code == 0, shown.output
    assert "projects" in shown.output

    by_owner("ALTER TABLE projects DISABLE ROW LEVEL SECURITY")

    shown = app.test_cli_runner().invoke(args=["walls"])
    assert shown.exit_code == 1
    assert "projects has no row-level security" in shown.output


@pytest.mark.processes
def test_gunicorn_ends_at_once_behind_open_walls(app, by_owner, database_url, tmp_path):
    by_owner("ALTER TABLE projects DISABLE ROW LEVEL SECURITY")

    server = Server(tmp_path, database_url, WEB_CONCURRENCY="1")
    try:
        assert server.process.wait(120) == 3
    finally:
        server.kill()
    assert "projects has no row-level security" in server.said


@pytest.mark.processes
def test_production_refuses_sqlite_and_says_which_setting(tmp_path):
    server = Server(tmp_path, f"sqlite:///{tmp_path / 'app.db'}", WEB_CONCURRENCY="1")
    try:
        assert server.process.wait(120) == 3
    finally:
        server.kill()
    assert "DATABASE_URL: must be PostgreSQL in production" in server.said


def test_a_dump_of_the_owner_at_work_holds_every_row(app, acme, initech, database_url):
    """Without saying so it would be empty, and end with 0 all the same."""
    for company in (acme, initech):
        company.post("/api/v1/projects/", json={"name": "Apollo"})
    with app.app_context():
        assert db.engine.dialect.name == "postgresql"

    assert rows_in_dump(database_url, "-c app.at_work=on") == 2
    assert rows_in_dump(database_url, "") == 0


def rows_in_dump(database_url: str, options: str) -> int:
    """How many projects `pg_dump` writes down as the owner."""
    dump: Path = programs() / "pg_dump"
    url = make_url(owner_of(database_url)).set(drivername="postgresql")
    done = subprocess.run(
        [dump, "--enable-row-security", "--data-only", "--table=projects", "--inserts",
         f"--dbname={url.render_as_string(hide_password=False)}"],
        env={**os.environ, "PGOPTIONS": options},
        capture_output=True,
        text=True,
        check=True,
    )  # fmt: skip
    return done.stdout.count("INSERT INTO public.projects")
