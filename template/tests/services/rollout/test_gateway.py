"""A real Caddy, the follower beside it, and two releases of each service that say who they are."""

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from app.dev.postgres import free_port, somebody_listens
from app.stages.services import gateway
from app.stages.services.dev_system import caddy
from app.stages.services.rollout import pins as files
from app.stages.services.rollout.errors import Refused
from app.stages.services.rollout.follower import Follower
from app.stages.services.rollout.store import Pins, Store
from app.stages.services.rollout.waves import assign
from app.stages.services.settings import SERVICES
from tests.browser import PROJECT
from tests.services.gateway.conftest import Server
from tests.services.rollout.conftest import begin_anew, waves_of

pytestmark = [pytest.mark.processes, pytest.mark.postgres]

TEMPLATE = "{service}-{release}:8000"
TWO = waves_of({"name": "first", "tenants": ["t1"]}, {"name": "rest", "rest": True})


class Front:
    """A gateway that follows: a Caddy, and a thread that does what `flask rollout follow` does.

    Or the command itself, where it's to be quick beside a crowd of threads.
    """

    command: subprocess.Popen[bytes] | None = None

    def __init__(self, folder: Path, base: str, url: str, domain: str = "") -> None:
        self.url = url
        self.port = free_port()
        self.file = folder / "Caddyfile"
        self.store = Store(url)
        self.said: list[str] = []
        self.follower = Follower(
            self.store, self.file, base, TEMPLATE, domain, "front", self.said.append
        )
        self.over = threading.Event()
        self.http = urllib3.PoolManager(retries=False, timeout=10)

    def start(self) -> None:
        self.follower.prepare()
        self.start_caddy()
        self.thread = threading.Thread(
            target=self.follower.follow, args=(0.05, self.over.is_set), daemon=True
        )
        self.thread.start()

    def start_caddy(self) -> None:
        places = {"XDG_DATA_HOME": str(self.file.parent), "GATEWAY_BIND": "127.0.0.1"}
        command = [caddy(), "run", "--adapter", "caddyfile", "--config", str(self.file)]
        with (self.file.parent / "caddy.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                env={**os.environ, **places, "GATEWAY_ADDRESS": f":{self.port}"},
                stderr=log,
            )
        deadline = time.monotonic() + 20
        while not somebody_listens(self.port):
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def hand_over_to_the_command(self) -> None:
        self.over.set()
        self.thread.join()
        base = self.file.with_name("base")
        base.write_text(self.follower.base)
        words = ["--file", self.file, "--base", base, "--name", "front", "--every", "0.05"]
        self.command = subprocess.Popen(
            [sys.executable, "-m", "flask", "rollout", "follow", *words],
            cwd=PROJECT,
            env={**os.environ, "DATABASE_URL": self.url, "APP_ENV": "development"},
            stdout=subprocess.DEVNULL,
        )

    def wait_for(self, version: int, seconds: float = 30) -> None:
        """Until it has taken up that version, and said so."""
        deadline = time.monotonic() + seconds
        with Store(self.url) as store:
            while not any(one.version >= version for one in self.here(store)):
                assert time.monotonic() < deadline, self.said
                time.sleep(0.01)

    def here(self, store: Store) -> list[object]:
        return [one for one in store.followers() if one.name == "front"]

    def who(self, path: str, **headers: str) -> str:
        answer = self.http.request("GET", f"http://127.0.0.1:{self.port}{path}", headers=headers)
        assert answer.status == 200, answer.data
        return str(answer.json()["service"])

    def stop(self) -> None:
        self.over.set()
        if hasattr(self, "thread"):
            self.thread.join()
        for process in filter(None, (self.command, self.process)):
            process.terminate()
            process.wait(30)
        self.store.close()
        self.http.clear()


@pytest.fixture(scope="module")
def base(migrated_app) -> str:
    return gateway.caddyfile(migrated_app)


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, dict[str, Server]]]:
    made = {
        release: {service: Server(f"{service} {release}") for service in SERVICES}
        for release in ("old", "new")
    }
    yield made
    for of_release in made.values():
        for server in of_release.values():
            server.stop()


@pytest.fixture
def known(store, servers) -> Store:
    """The releases, with where they answer."""
    for release, of_release in servers.items():
        store.know(release, {name: one.address for name, one in of_release.items()}, None)
    return store


@pytest.fixture
def front(known, base, auth_url, tmp_path) -> Iterator[Front]:
    made = Front(tmp_path, base, auth_url)
    made.start()
    yield made
    made.stop()


def begin(store: Store, waves=TWO):
    return store.begin("new", waves, assign(waves.wave, store.customers(), "new"), "test", "")


def test_each_tenant_reaches_its_release_at_every_service(tenants, known, front):
    tenants(3)
    paths = {"auth": "/members", "billing": "/billing", "analytics": "/analytics", "features": "/"}
    front.wait_for(known.version())
    assert front.who("/t/t1/") == "features old"

    rollout = begin(known)
    known.enter_next_wave(rollout, "test")
    front.wait_for(known.version())

    for service, path in paths.items():
        assert front.who(f"/t/t1{path}") == f"{service} new"
        assert front.who(f"/t/t2{path}") == f"{service} old"
        assert front.who(f"/t/nobody{path}") == f"{service} old"
    for path in ("/", "/login", "/x/t1/", "/t//t1", "/t/t1x/", "/t/.nobody/", "/t/%2e%2e/"):
        assert front.who(path).endswith(" old"), path

    known.enter_next_wave(known.underway(), "test")
    front.wait_for(known.version())
    assert front.who("/t/t2/") == "features new"
    known.finish(known.underway(), "test")
    front.wait_for(known.version())
    assert front.who("/t/nobody/") == "features new"

    known.go_back("test", "")
    front.wait_for(known.version())
    assert front.who("/t/t1/") == "features old"


def test_a_tenant_that_gets_another_slug_keeps_its_release(tenants, known, front, auth_url):
    tenants(2)
    rollout = begin(known)
    known.enter_next_wave(rollout, "test")
    with known.transaction() as connection:
        connection.exec_driver_sql("UPDATE auth_tenants SET slug = 'renamed' WHERE slug = 't1'")

    known.know("new", {}, None)  # Anything that gateways have to know.
    front.wait_for(known.version())

    assert front.who("/t/renamed/") == "features new"
    assert front.who("/t/t1/") == "features old"


def test_with_the_database_away_the_last_pins_stay(tenants, known, front, monkeypatch):
    tenants(2)
    known.enter_next_wave(begin(known), "test")
    front.wait_for(known.version())

    monkeypatch.setattr(front.store, "engine", Store("postgresql+psycopg://127.0.0.1:1/x").engine)
    with known.transaction() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    deadline = time.monotonic() + 10
    while front.follower.problem != "database":
        assert time.monotonic() < deadline
        time.sleep(0.02)

    assert front.who("/t/t1/") == "features new"
    front.process.terminate()
    front.process.wait(30)
    front.start_caddy()  # And after a restart of it, too.
    assert front.who("/t/t1/") == "features new"
    assert front.who("/t/t2/") == "features old"


def test_tenants_on_subdomains_reach_their_release(tenants, known, base, auth_url, tmp_path):
    tenants(2)
    known.enter_next_wave(begin(known), "test")
    front = Front(tmp_path, base, auth_url, "example.com")
    front.start()
    try:
        assert front.who("/members", Host="t1.example.com") == "auth new"
        assert front.who("/members", Host="t2.example.com") == "auth old"
        assert front.who("/members", Host="t1.example.org") == "auth old"
        assert front.who("/t/t1/members", Host="example.com") == "auth old"
    finally:
        front.stop()


class Person(threading.Thread):
    """Asks for a page again and again, over a connection that is kept."""

    def __init__(self, front: Front, slug: str, over: threading.Event) -> None:
        super().__init__(daemon=True)
        self.url = f"http://127.0.0.1:{front.port}/t/{slug}/"
        self.over = over
        self.http = urllib3.PoolManager(retries=False, timeout=10)
        self.answers: Counter[object] = Counter()

    def run(self) -> None:
        while not self.over.is_set():
            try:
                self.answers[self.http.request("GET", self.url).status] += 1
            except urllib3.exceptions.HTTPError as error:
                self.answers[type(error).__name__] += 1


def test_ten_thousand_tenants_change_over_and_no_request_is_lost(
    tenants, known, front, auth_url, capsys
):
    """Waves, a way back, a release that comes and one that is everybody's: Caddy isn't touched."""
    tenants(10_000)
    front.hand_over_to_the_command()
    waves = waves_of({"name": "half", "share": 0.5}, {"name": "rest", "rest": True})
    over = threading.Event()
    people = [Person(front, f"t{number}", over) for number in range(1, 7)]
    for person in people:
        person.start()
    took = []

    def take(step, *words) -> None:
        begun = time.monotonic()
        step(known.underway(), "test", *words)
        front.wait_for(known.version())
        took.append(time.monotonic() - begun)
        time.sleep(0.5)

    begin(known, waves)
    front.wait_for(known.version())
    take(known.enter_next_wave)
    take(known.enter_next_wave)
    take(known.stop, "bad")
    assert front.who("/t/t1/") == "features old"
    begin(known, waves)
    take(known.enter_next_wave)
    take(known.enter_next_wave)
    take(known.finish)
    over.set()
    for person in people:
        person.join()

    answers = sum((person.answers for person in people), Counter())
    lost = {what: count for what, count in answers.items() if what != 200}
    with capsys.disabled():
        print(  # noqa: T201  # The figure is what this is for.
            f"\n5,000 tenants pinned in {took[0]:.2f} s, 5,000 more in {took[1]:.2f} s, all back "
            f"in {took[2]:.2f} s; {answers[200]} requests meanwhile, {sum(lost.values())} lost "
            f"{lost or ''}"
        )
    assert lost == {}
    assert answers[200] > 100
    assert front.who("/t/t1/") == "features new"


def test_a_caddyfile_without_our_routes_is_refused(tmp_path):
    with pytest.raises(Refused, match="make it anew with `flask gateway config`"):
        files.caddyfile(":8000 {\n\trespond ok\n}\n", tmp_path)


def test_what_caddy_is_given_is_laid_out_as_it_would(base, tmp_path):
    file = tmp_path / "Caddyfile"
    file.write_text(files.caddyfile(base, tmp_path))

    done = subprocess.run([caddy(), "fmt", "--diff", file], capture_output=True, check=False)

    assert done.returncode == 0, done.stdout


def test_three_releases_stand_side_by_side_and_a_fourth_is_refused(tmp_path):
    folder = files.Files(tmp_path)
    upstreams = files.upstreams_of(TEMPLATE, {})

    def write(release, *others, **tenants):
        folder.write(Pins(1, release, {one: {} for one in (release, *others)}, tenants), upstreams)
        return (tmp_path / "slots" / "default" / "release").read_text()

    assert write("1.4.0") == "1.4.0"
    assert (tmp_path / "slots" / "default" / "auth").read_text() == "auth-1-4-0:8000"
    assert write("1.4.0", "1.5.0", "1.6.0", acme="1.5.0", initech="1.6.0") == "1.4.0"
    pinned = {file.name: folder.release_in(file.parent.name) for file in folder.pins.glob("*/*")}
    assert pinned == {"acme": "1.5.0", "initech": "1.6.0"}

    with pytest.raises(files.TooManyReleases, match="more than 3 releases can't stand side by"):
        write("1.4.0", "1.5.0", "1.6.0", "1.7.0")

    assert write("1.6.0", acme="1.6.0") == "1.6.0"
    assert write("1.6.0", "1.7.0", "1.8.0", umbrella="1.7.0") == "1.6.0"  # In slots that are free.
    assert [folder.release_in(file.parent.name) for file in folder.pins.glob("*/*")] == ["1.7.0"]


def test_a_pin_to_an_unknown_release_is_refused(tenants, store):
    tenants(1)

    with pytest.raises(Refused, match=r"There is no release 'newer'. Known are new, old."):
        store.pin("t1", "newer", "test", "")
    with pytest.raises(Refused, match="There is no tenant 'nobody'"):
        store.pin("nobody", "new", "test", "")


def test_a_slug_that_is_no_slug_becomes_no_file(tmp_path):
    pins = Pins(1, "old", {"old": {}, "new": {}}, {"../../x": "new", "UP": "new", "-": "new"})

    files.Files(tmp_path).write(pins, files.upstreams_of(TEMPLATE, {}))

    assert list((tmp_path / "pins").rglob("*")) == []
    assert not (tmp_path / "x").exists()


def test_a_follower_that_starts_before_any_release_is_known(store, base, auth_url, tmp_path):
    begin_anew(store)
    with store.transaction() as connection:
        connection.exec_driver_sql("UPDATE rollout.gateway SET release = NULL")
    front = Front(tmp_path, base, auth_url)

    front.follower.prepare()

    assert "{$FEATURES_UPSTREAMS:features:8000}" in front.file.read_text()
    assert not (tmp_path / "slots" / "default").exists()
    front.store.close()


def test_before_any_release_is_known_the_gateway_goes_by_its_settings(
    store, base, auth_url, servers, tmp_path, monkeypatch
):
    with store.transaction() as connection:
        connection.exec_driver_sql("UPDATE rollout.gateway SET release = NULL")
    monkeypatch.setenv("FEATURES_UPSTREAMS", servers["old"]["features"].address)
    front = Front(tmp_path, base, auth_url)
    front.start()
    try:
        assert front.who("/t/acme/") == "features old"
    finally:
        front.stop()
