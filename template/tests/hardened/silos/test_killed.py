"""`flask silos migrate` killed in the middle, three times: each silo is migrated exactly once."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from shutil import copytree, ignore_patterns

import psycopg
import pytest

import app
from tests.hardened.silos.fleet import ask, plain, write_migration
from tests.hardened.silos.test_migrate import rows, until

pytestmark = [pytest.mark.postgres, pytest.mark.processes, pytest.mark.kills]
DONE = "SELECT count(*) FROM auth_fleet_visits WHERE state = 'done'"
# It takes a moment, so that somebody is at work on a silo when the signal comes.
COUNTING = """
op.create_table("counted", sa.Column("times", sa.Integer()))
op.execute("INSERT INTO counted VALUES (1)")
op.execute("SELECT pg_sleep(0.05)")
"""


@pytest.fixture
def newer_code(tmp_path: Path) -> Path:
    """The project as it is, with one more migration of the team's."""
    copytree(Path(app.__file__).parent, tmp_path / "app", ignore=ignore_patterns("__pycache__"))
    write_migration(tmp_path / "app" / "features" / "migrations" / "versions", COUNTING)
    return tmp_path


@pytest.fixture
def start(newer_code, memory_url, admin):
    """Starts the command as a process; what is still running at the end is killed."""
    begun = []
    environment = os.environ | {
        "APP_ENV": "testing",
        "DATABASE_URL": memory_url,
        "SILO_ADMIN_DATABASE_URL": admin,
    }

    def begin():
        command = [sys.executable, "-m", "flask", "--app", "app", "silos", "migrate"]
        begun.append(
            subprocess.Popen(
                [*command, "--waves", "3,5", "--at-once", "2"],
                cwd=newer_code,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        return begun[-1]

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


def test_killed_three_times_each_silo_is_migrated_once(fleet, start, memory_url):
    silos = fleet.make(20)

    for enough in (2, 6, 12):
        process = start()
        until(lambda enough=enough: ask(memory_url, DONE) >= enough, seconds=90)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert ask(memory_url, DONE) < 20
    last = start()
    output, _ = last.communicate(timeout=120)

    assert last.returncode == 0, output
    assert "Going on:" in output
    assert "20 of 20 silos are up to date." in output
    # A second time would have failed: the table is there, and the run would say so.
    assert [ask(silo.owner_url, "SELECT sum(times) FROM counted") for silo in silos] == [1] * 20
    assert rows(memory_url, "SELECT count(*) FROM auth_fleet_runs") == [(1,)]


def test_interrupted_it_says_what_to_do(fleet, start, memory_url):
    fleet.make(6)
    process = start()
    until(lambda: ask(memory_url, DONE) >= 1, seconds=90)

    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)

    assert process.returncode == 1, output
    assert "Interrupted. Run it again: it goes on where it was." in output
    assert start().wait(timeout=120) == 0


def test_a_server_that_goes_away_in_the_middle_costs_nothing(fleet, start, memory_url, server):
    fleet.make(6)
    process = start()
    until(lambda: ask(memory_url, DONE) >= 1, seconds=90)

    with psycopg.connect(plain(server.url("postgres")), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE starts_with(datname, 'silo_') AND pid <> pg_backend_pid()"
        )
    output, _ = process.communicate(timeout=120)

    assert process.returncode == 0, output
    assert len(fleet.migrated()) == 6
