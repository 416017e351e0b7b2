"""`flask dev` at this stage: one command starts four services, and nothing outlives it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from sqlalchemy import make_url

from app.dev.postgres import somebody_listens
from app.stages.services import dev_leftovers
from app.stages.services.settings import SERVICES
from tests import alive
from tests.services.system_of_processes import System, system_of

pytestmark = [
    pytest.mark.processes,
    pytest.mark.postgres,
    pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them"),
]
PARTS = {"redis", "gateway", *SERVICES, *(f"{name}-worker" for name in SERVICES)}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Not below pytest's own: PostgreSQL, which under root is somebody else, must enter it."""
    with TemporaryDirectory(prefix="system-") as folder:
        (Path(folder) / "instance").mkdir()
        (Path(folder) / "instance" / "app.db").touch()
        yield Path(folder)


@pytest.fixture(scope="module")
def system(folder) -> Iterator[System]:
    with system_of(folder) as system:
        yield system


def test_everything_runs_and_says_so(system):
    assert set(system.processes) >= PARTS  # A later stage may have more beside the gateway.
    assert system.get("/readyz")[0] == 200
    assert "ada@acme.example" in system.said
    assert "Traceback" not in system.said
    assert "app.db of the prototype isn't used here: `flask promote`" in system.said
    for part in SERVICES:
        assert f"{part}-worker" in system.said


def test_a_command_runs_as_one_of_its_services(system):
    checked = system.flask("as", "billing", "db", "check", "billing")
    told = system.flask("as", "billing", "db", "--help")

    assert (checked.returncode, checked.stdout) == (0, "Models and tables agree.\n")
    assert "Migrate the databases" in told.stdout


def test_as_nobody_where_nothing_runs(tmp_path):
    done = System(tmp_path).flask("as", "billing", "db", "check")

    assert done.returncode == 1
    assert "No `flask dev` runs in this folder" in done.stderr


@pytest.mark.parametrize("role", [f"{s}{kind}" for s in SERVICES for kind in ("", "_owner")])
def test_a_role_opens_its_own_database_and_no_other(system, role):
    ours = role.removesuffix("_owner")
    urls = {name: make_url(url) for name, url in system.facts["databases"].items()}

    for name in (*SERVICES, "postgres", "template1"):
        url = urls[ours].set(drivername="postgresql", username=role, database=name)
        if name == ours:
            psycopg.connect(url.render_as_string(hide_password=False)).close()
        else:
            with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                psycopg.connect(url.render_as_string(hide_password=False))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_owns_no_table(system, service):
    url = make_url(system.facts["databases"][service]).set(drivername="postgresql")

    with psycopg.connect(url.render_as_string(hide_password=False)) as connection:
        owners = connection.execute(
            "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DROP TABLE shared_outbox")

    assert owners == [(f"{service}_owner",)]


def test_another_one_in_the_same_folder_is_refused(system, folder):
    second = System(folder)
    second.log_file = folder / "second.log"
    second.start(wait=False)

    assert second.process.wait(60) == 1
    assert "Another `flask dev` has" in second.said
    assert "Traceback" not in second.said


def test_one_that_is_killed_is_said_and_the_others_go_on(system):
    before = system.processes
    system.kill("analytics")

    assert "The analytics stopped (-9)" in system.said
    assert system.get("/login")[0] == 200
    after = system.processes
    assert {name: after[name] for name in PARTS - {"analytics"}} == {
        name: before[name] for name in PARTS - {"analytics"}
    }

    system.touch()
    system.wait_for(lambda: set(system.processes) >= PARTS)
    system.wait_for(lambda: system.get("/analytics/")[0] != 502)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next start ends them")
def test_when_it_is_killed_nothing_goes_on(system):
    """Of a power cut, which spares nobody, the journey tells."""
    killed = system.process.pid
    system.process.kill()
    system.process.wait()
    eventually(lambda: alive.in_session(killed) == {})
    system.log_file.unlink()

    system.start()

    assert "Made the demo" not in system.said
    assert system.get("/readyz")[0] == 200


def eventually(is_so):
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.fixture
def left_behind() -> Iterator[subprocess.Popen[bytes]]:
    """A process that an earlier `flask dev` may have started."""
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def note_of(folder: Path, process: subprocess.Popen[bytes], command: str) -> Path:
    facts = {"processes": {"auth-worker": process.pid}, "commands": {"auth-worker": command}}
    note = folder / "dev.json"
    note.write_text(json.dumps(facts))
    return note


def test_what_was_left_behind_is_ended(tmp_path, left_behind):
    note = note_of(tmp_path, left_behind, "sleep 60")

    assert dev_leftovers.end(note) == ["auth-worker"]

    assert left_behind.wait(5) == -signal.SIGTERM
    assert not note.exists()


def test_who_has_taken_the_id_of_what_was_left_behind_is_left_alone(tmp_path, left_behind):
    note = note_of(tmp_path, left_behind, f"{sys.executable} -m flask worker")

    assert dev_leftovers.end(note) == []

    assert left_behind.poll() is None


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_stops_and_leaves_nothing_behind(system, how):
    if system.process.poll() is not None:
        system.start()
    redis = system.facts["ports"]["redis"]
    postgres = make_url(system.facts["databases"]["auth"]).port

    assert system.stop(how) == 0

    assert system.family() == {}
    assert not somebody_listens(redis)
    assert not somebody_listens(postgres)
    assert "Everything has stopped." in system.said
    assert "Traceback" not in system.said


def test_a_port_in_use_is_said_at_once(folder):
    system = System(folder)
    system.log_file = folder / "taken.log"
    with socket.create_server(("127.0.0.1", system.port)):
        began = time.monotonic()
        system.start(wait=False)

        assert system.process.wait(60) == 1
    assert time.monotonic() - began < 20
    assert f"Can't listen at 127.0.0.1:{system.port}" in system.said


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"AUTH_DATABASE_URL": "postgresql://127.0.0.1/a"}, "Set BILLING_DATABASE_URL"),
        (
            {f"{s.upper()}_DATABASE_URL": "postgresql://127.0.0.1/a" for s in SERVICES},
            "Two services have one database",
        ),
    ],
)
def test_settings_that_make_no_system_are_refused(folder, settings, message):
    system = System(folder, **settings)
    system.log_file = folder / "refused.log"
    system.start(wait=False)

    assert system.process.wait(60) == 1
    assert message in system.said
    assert "Traceback" not in system.said
    system.log_file.unlink()
