"""A workspace moves through the system as it's run: gateway, services, workers, streams."""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
import urllib3
from redis import Redis

from app.stages.services.events import streams
from tests.hardened.moving.world import wait_for
from tests.services.system_of_processes import OF_OTHERS, System, system_of
from tests.services.visitor import Visitor

pytestmark = [pytest.mark.processes, pytest.mark.postgres]
API = "/t/acme/api/v1/projects/"
SECRET = re.compile(r'<code class="secret">([^<]+)</code>')
# What a client sends again, with the same Idempotency-Key.
PATIENCE_SECONDS = 60
LATER = {429, 502, 503, 504}
BUSY = ("--longest", "60", "--patience", "120")


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with TemporaryDirectory(prefix="system-") as folder, system_of(Path(folder)) as system:
        yield system


@dataclass
class Client:
    """A program that writes one thing after the other, and sends again what isn't answered.

    Each hundredth write is a new project; the others give it another name, since plans have limits.
    """

    url: str
    token: str
    name: str
    kept: dict[str, str] = field(default_factory=dict)
    acknowledged: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    project: str = ""
    aim: int = 0

    def __post_init__(self) -> None:
        self.http = urllib3.PoolManager(retries=False, timeout=PATIENCE_SECONDS)
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self) -> None:
        while not self.over.wait(0.05) and not self.refused:
            count = len(self.acknowledged)
            new = count % 100 == 0
            method, path = ("POST", API) if new else ("PATCH", f"{API}{self.project}")
            try:
                self.write(method, path, f"{self.name} {count:04}")
            except urllib3.exceptions.HTTPError as error:
                self.refused.append(repr(error))

    def write(self, method: str, path: str, name: str) -> None:
        headers = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": uuid4().hex}
        while not self.over.is_set():
            answer = self.http.request(
                method, f"{self.url}{path}", json={"name": name}, headers=headers
            )
            if answer.status in {200, 201}:
                self.project = answer.json()["id"]
                self.kept[self.project] = name
                self.acknowledged.append(name)
                return
            if answer.status not in LATER:
                self.refused.append(f"{answer.status}: {answer.data.decode()}")
                return
            self.over.wait(0.2)

    def read(self, project: str) -> str:
        headers = {"Authorization": f"Bearer {self.token}"}
        while True:
            answer = self.http.request("GET", f"{self.url}{API}{project}", headers=headers)
            if answer.status not in LATER:
                break
            time.sleep(0.2)
        assert answer.status == 200, answer.data
        return str(answer.json()["name"])

    def stop(self) -> None:
        self.over.set()
        self.thread.join()


class Follower:
    """Reads what arrives in the streams, as another service does: each event once, by its id."""

    def __init__(self, url: str) -> None:
        self.redis = Redis.from_url(url)
        self.positions = {streams.stream_of(n): "0" for n in range(streams.PARTITIONS)}
        self.heard: dict[str, str] = {}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.follow, daemon=True)
        self.thread.start()

    def follow(self) -> None:
        while not self.over.is_set():
            for stream, entries in self.redis.xread(self.positions, count=500, block=200):
                for number, fields in entries:
                    self.positions[stream.decode()] = number
                    event = streams.unpacked(fields)
                    if event.name.startswith("project.") and event.tenant:
                        self.heard.setdefault(str(event.id), event.facts["name"])

    def hears(self, client: Client, count: int) -> list[str]:
        """The names that a client's events tell, in the order in which they came."""
        wait_for(lambda: len(self.names_of(client)) >= count)
        return self.names_of(client)

    def names_of(self, client: Client) -> list[str]:
        return [name for name in [*self.heard.values()] if name.startswith(f"{client.name} ")]

    def stop(self) -> None:
        self.over.set()
        self.thread.join()
        self.redis.close()


def move(system: System, *args: str) -> str:
    known = system.facts
    settings = {
        "FLASK_APP": "app",
        "APP_ENV": "development",
        "SERVES": "auth",
        "DATABASE_URL": known["databases"]["auth"],
        "MIGRATIONS_DATABASE_URL": known["owners"]["auth"],
        "REDIS_URL": known["redis"],
        **{
            f"{name.upper()}_URL": f"http://127.0.0.1:{known['ports'][name]}"
            for name in ("billing", "analytics", "features")
        },
    }
    clean = {name: value for name, value in os.environ.items() if not name.startswith(OF_OTHERS)}
    done = subprocess.run(
        [sys.executable, "-m", "flask", "tenant", "move", "acme", *args],
        cwd=system.folder,
        env={**clean, **settings},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def follower(system) -> Iterator[Follower]:
    follower = Follower(system.facts["redis"])
    yield follower
    follower.stop()


@pytest.fixture
def clients(system) -> Iterator[list[Client]]:
    """Two programs of Acme's, with a token that Ada has made."""
    ada = Visitor(system.url)
    ada.logs_in("ada@acme.example")
    page = ada.sends("/t/acme/settings/tokens", name="Writers", reach="all", days="30")
    token = SECRET.search(page.text)
    assert token, page.text[:3000]
    clients = [Client(system.url, token[1], f"writer {n}") for n in range(2)]
    yield clients
    for client in clients:
        client.stop()


def test_a_workspace_moves_to_a_silo_and_back_while_programs_write(system, follower, clients):
    wait_for(lambda: have_written(clients, 5))

    there = move(system, "--to", "silo", *BUSY)
    wait_for(lambda: have_written(clients, 10))
    back = move(system, "--back", *BUSY)
    wait_for(lambda: have_written(clients, 5))
    move(system, "--finish")
    for client in clients:
        client.stop()

    assert [one.refused for one in clients] == [[], []]
    assert "served in the silo" in there
    assert "back where it was" in back
    for client in clients:
        assert {project: client.read(project) for project in client.kept} == client.kept
        told = follower.hears(client, len(client.acknowledged))
        assert told[: len(client.acknowledged)] == client.acknowledged


def have_written(clients: list[Client], more: int) -> bool:
    """Whether each has written so many more since this was first asked; or something is wrong."""
    for client in clients:
        client.aim = client.aim or len(client.acknowledged) + more
    if any(one.refused for one in clients):
        return True
    there = all(len(one.acknowledged) >= one.aim for one in clients)
    if there:
        for client in clients:
            client.aim = 0
    return there
