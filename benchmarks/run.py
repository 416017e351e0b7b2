"""Measures a generated project, and prints what it costs as ratios of one run.

`nox -s bench` runs it with the project's own Python. Every round asks each server in turn, with
bare Flask before and after it, so that a busy machine slows all of them alike. It's a measurement
and no test: no figure makes it fail, wrong answers do.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import load
from report import Figures, as_json, show
from servers import Server, gunicorn, uvicorn

if TYPE_CHECKING:
    from world import World

HERE = Path(__file__).parent
PEERS = HERE / "peers"
LIST = "/t/acme/api/v1/projects/"
PAGE = "/t/acme/projects/"


class WrongAnswer(SystemExit):
    """A server answered something else than the others: its speed says nothing."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A request that is measured."""

    name: str
    server: Server
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    looks_right: str = "json"

    def check(self) -> None:
        """See that it answers 20 projects of the right tenant and not one of another's."""
        body = self.answer()
        if self.looks_right == "json":
            names = [item["name"] for item in json.loads(body)["items"]]
            good = len(names) == 20 and all(name.startswith("acme ") for name in names)
        else:
            good = body.count("acme project ") >= 20 if self.looks_right == "html" else True
        if not good or "initech project" in body:
            raise WrongAnswer(f"{self.name} answers something else:\n{body[:2000]}")

    def answer(self) -> str:
        asked = Request(self.server.url(self.path), headers=self.headers)  # noqa: S310
        with urlopen(asked, timeout=30) as answer:  # noqa: S310  # Our own address.
            return str(answer.read().decode())


def main(arguments: list[str]) -> None:
    wish = wishes(arguments)
    client = load.best_client() if wish.client == "best" else wish.client
    with measurable(wish.project.resolve(), wish.peers) as (hello, subjects):
        for subject in (hello, *subjects):
            subject.check()
        figures = measure(hello, subjects, wish, client)
    asked = {"rounds": wish.rounds, "seconds": wish.seconds, "connections": wish.connections}
    facts = machine() | asked | {"client": client}
    show(facts, figures)
    if wish.json:
        wish.json.parent.mkdir(parents=True, exist_ok=True)
        wish.json.write_text(as_json(facts, figures))
        print(f"\nWritten to {wish.json}.")


def wishes(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s bench --", description=__doc__.splitlines()[0])
    parser.add_argument("project", type=Path, help="the folder of a generated project")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures there too")
    parser.add_argument("--rounds", type=int, default=7, help="how often each is asked; default: 7")
    parser.add_argument("--seconds", type=float, default=2, help="how long each time; default: 2")
    parser.add_argument("--connections", type=int, default=16, help="at once; default: 16")
    parser.add_argument("--client", choices=["best", "wrk", "own"], default="best")
    parser.add_argument(
        "--peers", metavar="PYTHON", default=sys.executable, help="a Python that has FastAPI"
    )
    return parser.parse_args(arguments)


# --- What is measured ----------------------------------------------------------------------------


@contextmanager
def measurable(project: Path, peers: str) -> Iterator[tuple[Subject, list[Subject]]]:
    """Bare Flask and everything that is compared with it, running."""
    sys.path.insert(0, str(project))
    import world  # The project can be imported only now.

    with TemporaryDirectory(prefix="bench-") as name, ExitStack() as running:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL may run as somebody else.
        hello = running.enter_context(gunicorn(folder, "hello", "hello:app", PEERS, {}))
        databases = {
            "SQLite": f"sqlite:///{folder / 'bench.db'}",
            "PostgreSQL": running.enter_context(world.postgres(folder / "postgres")),
        }
        subjects = []
        for database, url in databases.items():
            made = world.make_world(url, folder)
            subjects += of_the_project(project, database, made, folder, running)
            subjects += of_the_peers(peers, database, made, folder, running)
        yield Subject("bare Flask", hello, "/", looks_right="text"), subjects


def of_the_project(
    project: Path, database: str, world: "World", folder: Path, running: ExitStack
) -> list[Subject]:
    started = gunicorn(folder, f"project {database}", "app:create_app()", project, world.settings)
    server = running.enter_context(started)
    cookie = {"Cookie": world.cookie}
    token = {"Authorization": f"Bearer {world.token}"}
    return [
        Subject(f"list as JSON, {database}", server, LIST, cookie),
        Subject(f"list by API token, {database}", server, LIST, token),
        Subject(f"list as a page, {database}", server, PAGE, cookie, "html"),
    ]


def of_the_peers(
    python: str, database: str, world: "World", folder: Path, running: ExitStack
) -> list[Subject]:
    """The same question to FastAPI, where a Python that has it was given."""
    if subprocess.run([python, "-c", "import fastapi, uvicorn"], capture_output=True).returncode:
        print(f"No FastAPI in {python}, so no peers: see --peers.", file=sys.stderr)
        return []
    url = world.settings["DATABASE_URL"]
    peers = {"FastAPI": ("fastapi_sync:app", url)}
    if database == "PostgreSQL":
        peers["FastAPI async"] = "fastapi_async:app", url.replace("+psycopg", "+asyncpg")
    subjects = []
    for name, (app, address) in peers.items():
        settings = world.settings | {"DATABASE_URL": address}
        started = uvicorn(folder, f"{name} {database}", python, app, PEERS, settings)
        server, cookie = running.enter_context(started), {"Cookie": world.peer_cookie}
        subjects.append(Subject(f"{name}, {database}", server, LIST, cookie))
    return subjects


# --- How -----------------------------------------------------------------------------------------


def measure(
    hello: Subject, subjects: list[Subject], wish: argparse.Namespace, client: str
) -> list[Figures]:
    """Ask each in turn, round after round, with bare Flask between any two."""
    everybody = (hello, *subjects)
    figures = {one.name: Figures(one.name, one.server.seconds_to_first_answer) for one in everybody}
    for number in range(wish.rounds + 1):
        before = ask(hello, wish, client)
        for subject in subjects:
            measured = ask(subject, wish, client)
            after = ask(hello, wish, client)
            if number:  # The first round warms everything up.
                figures[subject.name].add(measured, (before, after))
                figures[hello.name].add(after, (after,))
            before = after
        print(f"round {number} of {wish.rounds}", file=sys.stderr, flush=True)
    for subject in everybody:
        figures[subject.name].megabytes = subject.server.megabytes()
    return list(figures.values())


def ask(subject: Subject, wish: argparse.Namespace, client: str) -> tuple[float, float | None]:
    """Requests a second, and the server's CPU seconds for each."""
    url, server = subject.server.url(subject.path), subject.server
    used = server.cpu_seconds()
    done = load.drive(
        client, url, subject.headers, seconds=wish.seconds, connections=wish.connections
    )
    now = server.cpu_seconds()
    cpu = None if used is None or now is None else (now - used) / done.requests
    return done.rate, cpu


def machine() -> dict[str, object]:
    """What the figures depend on."""
    names = ("flask", "werkzeug", "sqlalchemy", "psycopg", "gunicorn")
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
        "versions": {name: version(name) for name in names},
        "busy before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


if __name__ == "__main__":
    main(sys.argv[1:])
