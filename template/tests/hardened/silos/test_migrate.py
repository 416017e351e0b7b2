"""Migrating a fleet: everybody once, in waves, and a silo that fails holds up nobody."""

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import psycopg
import pytest

from app import migrate
from app.stages.hardened.silos.places import on_server
from app.stages.hardened.silos.runs import Wishes, waves_of
from tests.hardened.silos.fleet import ONE_TABLE, ask, plain

pytestmark = [pytest.mark.postgres, pytest.mark.processes]
FINISHED = (
    "SELECT wave, min(finished_at), max(finished_at) FROM auth_fleet_visits GROUP BY 1 ORDER BY 1"
)


TEAMS_TABLE = """
op.create_table(
    "tasks",
    sa.Column("tenant_id", sa.Uuid(), primary_key=True),
    sa.Column("id", sa.Uuid(), primary_key=True),
)
op.execute("INSERT INTO tasks VALUES (gen_random_uuid(), gen_random_uuid())")
"""
VERSION = "SELECT version_num FROM alembic_version_features"


def rows(url, question):
    with psycopg.connect(plain(url)) as connection:
        return connection.execute(question).fetchall()


def do(silo, statement):
    with psycopg.connect(plain(silo.owner_url)) as connection:
        connection.execute(statement)


def as_superuser(server):
    return psycopg.connect(plain(server.url("postgres")), autocommit=True)


def in_wave(fleet, wave, number=0, sizes=(2, 2)):
    """A silo by the wave that it will be in."""
    waves = list(waves_of(on_server(fleet.admin), Wishes(sizes=sizes)))
    name = waves[wave][number].name
    return next(silo for silo in fleet.silos if silo.database == name)


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "It didn't come about."
        time.sleep(0.05)


def test_every_silo_is_migrated(fleet, next_release):
    silos = fleet.make(4) + fleet.make(2, "billing")
    next_release()

    done = fleet.run("migrate")

    assert done.exit_code == 0, done.output
    assert "6 of 6 silos are up to date" in done.output
    assert {silo.database for silo in fleet.migrated()} == {one.database for one in silos[:4]}
    assert {ask(silo.url, VERSION) for silo in silos[:4]} == {"features_0002"}
    assert ask(silos[0].url, "SELECT times FROM counted") == 1


def test_canaries_go_first_and_a_wave_waits_for_the_one_before(fleet, next_release, memory_url):
    silos = fleet.make(8)
    chosen = silos[5]
    with psycopg.connect(plain(memory_url)) as connection:
        connection.execute(
            "INSERT INTO auth_tenants VALUES (%s, 'canary', 'Canary', now())", (chosen.tenant_id,)
        )
    next_release()

    done = fleet.run("migrate", "--canary", "canary", "--waves", "2,3")

    assert done.exit_code == 0, done.output
    assert "wave 3 is done: 3 silos" in done.output
    first = "SELECT place FROM auth_fleet_visits WHERE wave = 0"
    assert rows(memory_url, first) == [(chosen.database,)]
    ends = rows(memory_url, FINISHED)
    assert [wave for wave, _, _ in ends] == [0, 1, 2, 3]
    assert all(before[2] < after[1] for before, after in pairwise(ends))
    with psycopg.connect(plain(memory_url)) as connection:
        connection.execute("DELETE FROM auth_tenants WHERE slug = 'canary'")


@pytest.mark.parametrize("before", ["", "op.get_bind().exec_driver_sql('SELECT 1')"])
def test_a_table_that_comes_with_it_has_walls_and_the_apps_grants(fleet, next_release, before):
    (silo,) = fleet.make(1)
    next_release(before + TEAMS_TABLE)

    done = fleet.run("migrate")

    assert done.exit_code == 0, done.output
    policies = "SELECT policyname FROM pg_policies WHERE tablename = 'tasks' ORDER BY 1"
    assert rows(silo.url, policies) == [("hardened_at_work",), ("hardened_tenant",)]
    forced = "SELECT relforcerowsecurity FROM pg_class WHERE relname = 'tasks'"
    assert ask(silo.url, forced) is True
    assert ask(silo.url, "SELECT has_table_privilege('tasks', 'INSERT')") is True
    assert ask(silo.url, "SELECT count(*) FROM tasks") == 0
    assert ask(silo.owner_url, "SET app.at_work = 'on'; SELECT count(*) FROM tasks") == 1


def test_walls_of_another_release_are_built_anew(fleet):
    (silo,) = fleet.make(1)
    do(silo, "COMMENT ON TABLE hardened.kind IS 'older'")
    do(silo, "DROP POLICY hardened_tenant ON projects")
    behind = fleet.run("status").output

    done = fleet.run("migrate")

    assert "walls=older  (not " in behind
    assert done.exit_code == 0, done.output
    assert "(not " not in fleet.run("status").output
    policies = "SELECT count(*) FROM pg_policies WHERE policyname = 'hardened_tenant'"
    assert ask(silo.url, policies) > 0


def test_a_silo_that_fails_is_set_apart_and_the_others_go_on(fleet, next_release):
    fleet.make(8)
    next_release()
    bad = in_wave(fleet, -1)
    do(bad, "CREATE TABLE counted (in_the_way int)")

    done = fleet.run("migrate", "--waves", "2,2")

    assert done.exit_code == 1
    assert "7 of 8 silos are up to date" in done.output
    assert f'{bad.database}: relation "counted" already exists' in done.output
    assert ask(bad.url, VERSION) == "features_0001"
    assert f"set apart: {bad.database}" in fleet.run("status").output

    do(bad, "DROP TABLE counted")
    again = fleet.run("migrate")

    assert again.exit_code == 0, again.output
    assert ask(bad.url, "SELECT times FROM counted") == 1


def test_a_canary_that_fails_stops_it_before_anybody_elses_turn(fleet, next_release):
    fleet.make(6)
    next_release()
    bad = in_wave(fleet, 0)
    do(bad, "CREATE TABLE counted (in_the_way int)")

    done = fleet.run("migrate", "--waves", "2,2", "--at-once", "1")

    assert done.exit_code == 1
    assert f"Stopped, as the canary {bad.database} failed" in done.output
    assert all(ask(in_wave(fleet, wave).url, VERSION) == "features_0001" for wave in (1, 2))

    do(bad, "DROP TABLE counted")
    again = fleet.run("migrate")

    assert again.exit_code == 0, again.output
    assert "Going on:" in again.output
    assert len(fleet.migrated()) == 6


def test_so_many_failures_stop_it(fleet, next_release):
    fleet.make(8)
    next_release()
    bad = [in_wave(fleet, 1, number) for number in range(2)]
    for silo in bad:
        do(silo, "CREATE TABLE counted (in_the_way int)")

    done = fleet.run("migrate", "--waves", "2,2", "--stop-after", "2", "--at-once", "1")

    assert done.exit_code == 1
    assert "Stopped, as 2 silos failed" in done.output
    assert ask(in_wave(fleet, 2).url, VERSION) == "features_0001"


def test_a_silo_that_is_down_is_tried_again_and_then_set_apart(
    fleet, next_release, server, monkeypatch
):
    monkeypatch.setattr("app.stages.hardened.silos.fleet.BACK_OFF_SECONDS", 0.02)
    fleet.make(4)
    next_release()
    away = in_wave(fleet, -1)
    with as_superuser(server) as connection:
        connection.execute(f"ALTER DATABASE {away.database} ALLOW_CONNECTIONS false")

    done = fleet.run("migrate", "--waves", "2")

    with as_superuser(server) as connection:
        connection.execute(f"ALTER DATABASE {away.database} ALLOW_CONNECTIONS true")
    assert done.exit_code == 1
    assert "3 of 4 silos are up to date" in done.output
    assert "not currently accepting connections" in done.output
    assert fleet.run("migrate").exit_code == 0
    assert len(fleet.migrated()) == 4


def test_a_silo_that_somebody_else_migrates_is_waited_for(fleet, next_release, memory_url):
    (silo,) = fleet.make(1)
    next_release()

    with ThreadPoolExecutor(1) as pool, psycopg.connect(plain(silo.owner_url)) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (migrate.LOCK,))
        running = pool.submit(fleet.run, "migrate")
        until(lambda: rows(memory_url, "SELECT error FROM auth_fleet_visits WHERE error <> ''"))
        connection.close()
        done = running.result()

    assert done.exit_code == 0, done.output
    assert ask(silo.url, "SELECT times FROM counted") == 1


def test_a_tenants_long_transaction_is_not_queued_behind(fleet, next_release, memory_url):
    """A migration that waits for a table's lock would make everybody else wait behind it."""
    (silo,) = fleet.make(1)
    next_release('op.add_column("projects", sa.Column("colour", sa.Text()))')

    with ThreadPoolExecutor(1) as pool, psycopg.connect(plain(silo.url)) as tenant:
        tenant.execute("SELECT count(*) FROM projects")
        running = pool.submit(fleet.run, "migrate")
        until(lambda: rows(memory_url, "SELECT error FROM auth_fleet_visits WHERE error <> ''"))
        tenant.rollback()
        done = running.result()

    assert done.exit_code == 0, done.output
    assert "lock timeout" not in done.output


def test_two_workers_share_the_work(fleet, next_release, memory_url):
    fleet.make(12)
    next_release()

    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: fleet.run("migrate", "--at-once", "2"), range(2)))

    assert [done.exit_code for done in both] == [0, 0], both
    assert len(fleet.migrated()) == 12
    assert rows(memory_url, "SELECT count(*), sum(attempts) FROM auth_fleet_visits") == [(12, 12)]


def test_a_silo_that_was_dropped_meanwhile_is_no_failure(fleet, next_release, memory_url):
    fleet.make(4)
    next_release()
    bad, waiting = in_wave(fleet, 0), in_wave(fleet, 1)
    do(bad, "CREATE TABLE counted (in_the_way int)")
    assert fleet.run("migrate", "--waves", "2,2").exit_code == 1
    fleet.drop(bad, waiting)

    done = fleet.run("migrate")

    assert done.exit_code == 0, done.output
    gone = rows(memory_url, "SELECT place FROM auth_fleet_visits WHERE outcome = 'gone'")
    assert {place for (place,) in gone} == {bad.database, waiting.database}


def test_what_asks_the_database_is_run_by_alembic(fleet, next_release):
    silos = fleet.make(2)
    next_release("""
        found = op.get_bind().execute(sa.text("SELECT count(*) FROM projects")).scalar_one()
        op.create_table("counted", sa.Column("times", sa.Integer()))
        op.execute(f"INSERT INTO counted VALUES ({found + 1})")
    """)

    plan = fleet.run("plan")
    done = fleet.run("migrate")

    assert "by Alembic in each silo" in plan.output
    assert done.exit_code == 0, done.output
    assert "it asks the database for something" in done.output
    assert [ask(silo.url, "SELECT times FROM counted") for silo in silos] == [1, 1]


def test_what_alembic_runs_is_whole_or_not_at_all(fleet, next_release):
    (silo,) = fleet.make(1)
    next_release("""
        op.create_table("counted", sa.Column("times", sa.Integer()))
        op.get_bind().execute(sa.text("SELECT 1 / 0"))
    """)

    done = fleet.run("migrate")

    assert done.exit_code == 1
    assert "division by zero" in done.output
    assert fleet.migrated() == []
    assert ask(silo.url, VERSION) == "features_0001"


def test_what_commits_in_between_is_run_by_alembic(fleet, next_release):
    (silo,) = fleet.make(1)
    next_release("""
        with op.get_context().autocommit_block():
            op.create_index(
                "ix_late", "projects", ["name"], postgresql_concurrently=True, if_not_exists=True
            )
    """)

    done = fleet.run("migrate")

    assert done.exit_code == 0, done.output
    assert "commits in between" in done.output
    assert ask(silo.url, "SELECT to_regclass('ix_late') IS NOT NULL")


def test_a_silo_that_a_newer_release_migrated_is_left_alone(fleet, memory_url):
    (silo,) = fleet.make(1)
    do(silo, "UPDATE alembic_version_features SET version_num = 'features_0099'")

    done = fleet.run("migrate")

    assert done.exit_code == 0, done.output
    assert rows(memory_url, "SELECT outcome FROM auth_fleet_visits") == [("ahead",)]


def test_migrations_that_changed_under_the_same_name_are_refused(fleet, next_release):
    silos = fleet.make(3)
    next_release()
    bad = in_wave(fleet, 0)
    do(bad, "CREATE TABLE counted (in_the_way int)")
    assert fleet.run("migrate", "--at-once", "1").exit_code == 1
    do(bad, "DROP TABLE counted")
    next_release(ONE_TABLE.replace("VALUES (1)", "VALUES (22)"))

    refused = fleet.run("migrate")
    anew = fleet.run("migrate", "--anew")

    assert refused.exit_code == 1
    assert "others than when this run began" in refused.output
    assert anew.exit_code == 0, anew.output
    assert len(fleet.migrated()) == len(silos)


def test_a_later_release_begins_a_run_of_its_own(fleet, next_release, memory_url):
    fleet.make(2)
    next_release()
    bad = in_wave(fleet, 0)
    do(bad, "CREATE TABLE counted (in_the_way int)")
    assert fleet.run("migrate").exit_code == 1
    do(bad, "DROP TABLE counted")
    next_release('op.add_column("projects", sa.Column("x", sa.Text()))', "features_0003")

    done = fleet.run("migrate")

    assert done.exit_code == 0, done.output
    states = rows(memory_url, "SELECT state FROM auth_fleet_runs ORDER BY id")
    assert states == [("superseded",), ("done",)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--canary", "nobody"], "No workspace is called nobody"),
        (["--waves", "5,many"], "must be numbers above 0"),
        (["--waves", "0"], "must be numbers above 0"),
        (["--stop-after", "0"], "0 is not in the range"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(fleet, arguments, said):
    done = fleet.run("migrate", *arguments)

    assert done.exit_code != 0
    assert said in done.output


def test_a_canary_without_a_silo_is_refused(fleet, memory_url):
    with psycopg.connect(plain(memory_url)) as connection:
        connection.execute(
            "INSERT INTO auth_tenants VALUES (gen_random_uuid(), 'pooled', 'Pooled', now())"
        )

    done = fleet.run("migrate", "--canary", "pooled")

    with psycopg.connect(plain(memory_url)) as connection:
        connection.execute("DELETE FROM auth_tenants WHERE slug = 'pooled'")
    assert done.exit_code == 1
    assert "These canaries have no silo" in done.output


def test_no_silos_is_fine(fleet):
    assert fleet.run("migrate").exit_code == 0
    assert "There are no silos." in fleet.run("status").output


def test_without_a_server_it_says_which_setting_is_missing(make_app, memory_url):
    app = make_app(database_url=memory_url)

    done = app.test_cli_runner().invoke(args=["silos", "status"])

    assert done.exit_code == 1
    assert "SILO_ADMIN_DATABASE_URL" in done.output


def test_memory_in_sqlite_is_refused(make_app, admin):
    app = make_app(database_url="sqlite:///x.db", silo_admin_database_url=admin)

    done = app.test_cli_runner().invoke(args=["silos", "migrate"])

    assert done.exit_code == 1
    assert "Silos need PostgreSQL" in done.output
