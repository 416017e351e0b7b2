"""Two instances of the product's service behind the gateway are replaced under load.

Each is told to stop with SIGTERM while people read and write; the other one is told once the first
is back. Every request is answered, and every write is done exactly once.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest
import urllib3

from app.stages.services import keys
from tests.ops.server import Server as Gunicorn
from tests.services.wire.neighbour import NOWHERE

pytestmark = pytest.mark.processes

PEOPLE = 6
AS_IT_RUNS = {
    **{name.upper(): value for name, value in NOWHERE.items()},
    "SERVES": "features",
    "WORKER": "separate",
    "SIGNING_KEYS": keys.new_key(),
    "DRAIN_SECONDS": "3",
}


class Person(threading.Thread):
    """Reads and writes, one after the other, until told to stop."""

    def __init__(self, url: str, name: int, over: threading.Event) -> None:
        super().__init__(daemon=True)
        self.url, self.number, self.over = url, name, over
        self.http = urllib3.PoolManager(retries=False, timeout=30)
        self.answers: Counter[tuple[str, object]] = Counter()
        self.processes: set[int] = set()

    def run(self) -> None:
        while not self.over.is_set():
            for method in ("GET", "POST"):
                self.ask(method)

    def ask(self, method: str) -> None:
        body = b"x" * 1000 if method == "POST" else None
        try:
            answer = self.http.request(method, f"{self.url}/slow?seconds=0.02", body=body)
        except urllib3.exceptions.HTTPError as error:
            self.answers[method, type(error).__name__] += 1
            return
        self.answers[method, answer.status] += 1
        if answer.status == 200:
            self.processes.add(answer.json()["process"])


@pytest.fixture
def instances(migrated_app, database_url, tmp_path) -> Iterator[list[Gunicorn]]:
    started = []
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        started.append(Gunicorn(folder, database_url, **AS_IT_RUNS))
    for one in started:
        one.wait_until_it_serves()
    yield started
    for one in started:
        if one.process.poll() is None:
            one.kill()


def test_no_request_is_lost_when_each_is_replaced(
    instances, start_gateway, database_url, tmp_path, capsys
):
    addresses = [one.address.removeprefix("http://") for one in instances]
    front = start_gateway(FEATURES_UPSTREAMS=" ".join(addresses))
    over = threading.Event()
    people = [Person(front.url, number, over) for number in range(PEOPLE)]

    for person in people:
        person.start()
    time.sleep(2)
    replaced = [replace(one, database_url) for one in instances]
    time.sleep(2)
    over.set()
    for person in people:
        person.join()
    for one in replaced:
        one.stop()

    answers = sum((person.answers for person in people), Counter())
    begun = sum(one.said.count('"path": "/slow"') for one in instances)
    lost = {what: count for what, count in answers.items() if what[1] != 200}
    with capsys.disabled():
        print(  # noqa: T201  # The figure is what this is for.
            f"\n{answers['GET', 200]} reads and {answers['POST', 200]} writes while both instances "
            f"were replaced: {sum(lost.values())} lost {lost or ''}"
        )
    assert lost == {}
    assert begun == sum(answers.values())  # None was done twice, either.
    assert answers["POST", 200] > 100
    assert len(set().union(*(person.processes for person in people))) >= 6


def replace(instance: Gunicorn, database_url: str) -> Gunicorn:
    """Stop it as an orchestrator does, and start it at the same address."""
    assert instance.stop() == 0
    fresh = Gunicorn(instance.log.parent, database_url, **AS_IT_RUNS, PORT=str(instance.port))
    fresh.port, fresh.address = instance.port, instance.address
    fresh.wait_until_it_serves()
    time.sleep(2)  # The gateway looks each second.
    return fresh
