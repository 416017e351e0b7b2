"""`flask dev` as people run it: real processes, a real port, Ctrl-C."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest

from app import stage
from app.access import UndeclaredAccess
from app.dev import command, web
from app.dev.postgres import Postgres, somebody_listens
from tests import alive

ROOT = Path(__file__).parents[2]
PATIENCE = 60
# A later stage may start more than this by itself; it still can what is tested here.
IN_ONE_PROCESS = ["--together"] if stage.module_of("dev") else []

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them"),
]


class Dev:
    """A running `flask dev` in a copy of the project."""

    def __init__(self, root: Path, log_file: Path, *options: str, **env: str) -> None:
        self.log = log_file
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("FLASK_", "DATABASE_", "WERKZEUG_"))
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "flask", "dev", *IN_ONE_PROCESS, *options],
                cwd=root,
                env={**clean, **env},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self.log.read_text()

    @property
    def address(self) -> str:
        """Where it says that it is."""
        line = self.wait_for(lambda: next((x for x in self.said.splitlines() if "http" in x), ""))
        return line.split()[-1]

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urlopen(self.address + path, timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def page_meanwhile(self, path: str) -> str:
        """A page; nothing where it was asked for just as the server began anew."""
        try:
            return self.get(path)[1]
        except (URLError, ConnectionError):
            return ""

    def wait_for(self, look: Callable[[], str]) -> str:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if found := look():
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        pytest.fail(f"Waited in vain. It said:\n{self.said}")

    def wait_until_it_says(self, words: str) -> None:
        self.wait_for(lambda: words in self.said)

    def family(self) -> set[int]:
        """The processes of its session that are alive."""
        return set(alive.in_session(self.process.pid))

    def stop(self, number: signal.Signals) -> int:
        """Stop it as the terminal (the whole group gets Ctrl-C) or a manager does."""
        if number == signal.SIGINT:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@pytest.fixture
def project() -> Iterator[Path]:
    """A copy of the project: the tests change its code."""
    with TemporaryDirectory(prefix="project-") as folder:
        root = Path(folder)
        shutil.copytree(ROOT / "app", root / "app")
        shutil.copy(ROOT / ".flaskenv", root)
        yield root


@pytest.fixture
def start(project) -> Iterator[Callable[..., Dev]]:
    started = []

    def start(*options: str, **env: str) -> Dev:
        started.append(Dev(project, project / f"{len(started)}.log", *options, **env))
        return started[-1]

    yield start
    for dev in started:
        for pid in dev.family():
            os.kill(pid, signal.SIGKILL)
        dev.process.wait()


def test_one_command_starts_everything_ctrl_c_stops_it_and_a_later_start_goes_on(start, project):
    first = start()

    assert first.get("/healthz")[0] == 200
    assert first.get("/readyz")[0] == 200
    assert "ada@acme.example" in first.said
    assert len(first.family()) == 3  # Itself, the server, the worker.

    assert first.stop(signal.SIGINT) == 0
    assert first.family() == set()
    assert "Everything has stopped." in first.said
    assert "Traceback" not in first.said
    with pytest.raises(URLError):
        first.get("/healthz")

    add_a_migration(project)
    second = start()

    assert second.get("/readyz")[0] == 200
    assert "tables up to date: features." in second.said
    assert "Made the demo" not in second.said
    assert second.stop(signal.SIGHUP) == 0  # The terminal was closed.
    assert second.family() == set()


def add_a_migration(project: Path) -> None:
    folder = project / "app" / "features" / "migrations" / "versions"
    folder.mkdir(parents=True, exist_ok=True)
    last = max((path.stem.split("_")[1] for path in folder.glob("*.py")), default=None)
    (folder / "features_9999_more.py").write_text(
        f"""
import sqlalchemy as sa
from alembic import op

revision = "features_9999"
down_revision = {f"features_{last}" if last else None!r}


def upgrade():
    op.create_table("more", sa.Column("id", sa.Integer, primary_key=True))
"""
    )


def test_a_mistake_while_editing_is_shown_and_so_is_its_correction(start, project):
    dev = start()
    dev.get("/healthz")
    health = project / "app" / "health.py"
    good = health.read_text()

    health.write_text(good + "\nthis is no Python\n")
    dev.wait_until_it_says("SyntaxError")
    status, page = dev.get("/healthz")
    dev.wait_until_it_says("The worker stopped")
    assert status == 500
    assert "SyntaxError" in page

    health.write_text(good.replace('"ok"', '"mended"'))
    dev.wait_for(lambda: "mended" in dev.page_meanwhile("/healthz"))
    dev.wait_for(lambda: len(dev.family()) == 3)


def test_a_refusal_to_start_becomes_an_error_that_flask_shows(monkeypatch):
    """Such as a view that doesn't say who may call it."""
    monkeypatch.setattr(web, "create", refuse)

    with pytest.raises(RuntimeError, match="doesn't say who may call it"):
        web.create_app()


def refuse() -> None:
    raise UndeclaredAccess("orders.index doesn't say who may call it")


def test_a_port_that_was_asked_for_and_is_in_use_is_refused(start):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        dev = start("--port", str(taken))

        assert dev.process.wait(PATIENCE) == 1
        assert f"Can't listen at 127.0.0.1:{taken}: Address already in use" in dev.said
        assert "Traceback" not in dev.said


def test_else_the_next_free_port_is_taken(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setattr(command, "USUAL_PORT", listener.getsockname()[1])

        with command.listening("127.0.0.1", None) as found:
            assert found.getsockname()[1] > command.USUAL_PORT


def test_links_in_mail_lead_to_the_port_in_use_unless_a_url_is_set(make_app):
    usual = make_app()
    given = make_app(public_url="https://my.example")

    assert command.environment(usual, "http://127.0.0.1:5007")["PUBLIC_URL"] == (
        "http://127.0.0.1:5007"
    )
    assert command.environment(given, "http://127.0.0.1:5007").get("PUBLIC_URL") == (
        os.environ.get("PUBLIC_URL")
    )


@pytest.mark.postgres
def test_a_postgresql_comes_along_and_goes_with_it(start, project):
    dev = start("--postgres")

    assert dev.get("/readyz")[0] == 200
    assert "postgresql+psycopg" in dev.said
    note = project / "instance" / "postgres" / "data" / "postmaster.pid"
    server, port = note.read_text().splitlines()[0:4:3]

    second = start("--postgres")
    assert second.process.wait(PATIENCE) == 1
    assert f"process {server}" in second.said

    dev.stop(signal.SIGTERM)
    assert not somebody_listens(int(port))
    assert not note.exists()


@pytest.mark.postgres
def test_a_postgresql_that_was_killed_starts_again(project):
    """What `kill -9` leaves behind is no reason not to start."""
    first = Postgres(project / "postgres")
    first.start()
    first.make_database("app")
    note = first.data / "postmaster.pid"
    os.kill(int(note.read_text().split()[0]), signal.SIGKILL)
    while somebody_listens(first.port):
        time.sleep(0.05)

    with Postgres(project / "postgres") as second:
        second.make_database("app")


def test_a_database_that_is_set_wins_over_the_one_that_comes_along(app):
    with app.app_context(), command.database(postgres=True) as given:
        assert given == {}


def test_a_database_that_does_not_answer_is_said_without_its_password(start):
    dev = start(DATABASE_URL="postgresql://ada:secret-word@127.0.0.1:1/app")

    assert dev.process.wait(PATIENCE) == 1
    assert "The database doesn't answer" in dev.said
    assert "127.0.0.1:1" in dev.said
    assert "secret-word" not in dev.said
    assert "Traceback" not in dev.said
