"""The edge: a real Caddy turns away whoever Redis names, and nobody else."""

import threading
import time

import pytest

from app.dev.postgres import free_port
from app.stages.hardened.throttle import edge, waiting
from app.stages.services import gateway, identity_store
from app.stages.services.settings import SERVICES
from tests.services.gateway.conftest import Gateway, Server


@pytest.fixture
def followed(valkey, tmp_path):
    """A folder that follows Redis, as beside a gateway."""
    folder, over = tmp_path / "turned-away", threading.Event()
    redis = identity_store.client_of(valkey, 0.25)
    thread = threading.Thread(target=edge.follow, args=(redis, folder, 0.05, over.is_set))
    thread.start()
    yield folder
    over.set()
    thread.join()


@pytest.fixture
def room():
    """A waiting room, on a port of its own."""
    place, over = f"127.0.0.1:{free_port()}", threading.Event()
    host, port = place.split(":")
    thread = threading.Thread(target=waiting.keep_open, args=(host, int(port), over.wait))
    thread.start()
    yield place
    over.set()
    thread.join()


@pytest.fixture
def domain(request) -> str:
    """Below which each workspace is a host; without one it's in the path."""
    return getattr(request, "param", "")


@pytest.fixture
def caddy(migrated_app, followed, room, tmp_path, domain):
    services = {name: Server(name) for name in SERVICES}
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "turned-away.caddy").write_text(edge.rule(followed, room, domain))
    places = {f"{name.upper()}_UPSTREAMS": one.address for name, one in services.items()}
    running = Gateway(tmp_path, gateway.caddyfile(migrated_app), GATEWAY_RULES=str(rules), **places)
    yield running
    running.stop()
    for one in services.values():
        one.stop()


def status_at(caddy, path):
    return caddy.ask("GET", path).status


def until(caddy, path, status):
    deadline = time.monotonic() + 20
    while status_at(caddy, path) != status:
        assert time.monotonic() < deadline, f"{path} never answered {status}"
        time.sleep(0.02)


def test_a_workspace_is_turned_away_for_a_while(caddy, valkey):
    assert status_at(caddy, "/t/acme/projects/") == 200

    redis = identity_store.client_of(valkey, 5)
    redis.zadd(edge.BANNED, {"acme": time.time() + 600})

    until(caddy, "/t/acme/projects/", 429)
    began = time.monotonic()
    refused = caddy.ask("GET", "/t/acme/projects/")
    assert refused.status == 429
    assert refused.headers["Retry-After"] == "2"
    assert time.monotonic() - began >= waiting.SECONDS
    assert caddy.ask("POST", "/t/acme/projects/", body=b"x" * 100_000).status == 429
    assert status_at(caddy, "/t/initech/projects/") == 200
    assert status_at(caddy, "/acme/") == 200
    assert status_at(caddy, "/login") == 200
    redis.zadd(edge.BANNED, {"acme": time.time() - 1})
    until(caddy, "/t/acme/projects/", 200)


@pytest.mark.parametrize("domain", ["app.example.com"], indirect=True)
def test_below_a_domain_the_host_says_who_it_is(caddy, valkey):
    def ask(host):
        return caddy.ask("GET", "/projects/", headers={"Host": host}).status

    identity_store.client_of(valkey, 5).zadd(edge.BANNED, {"acme": time.time() + 600})
    deadline = time.monotonic() + 20
    while ask("acme.app.example.com") != 429:
        assert time.monotonic() < deadline
        time.sleep(0.02)

    assert ask("initech.app.example.com") == 200
    assert ask("app.example.com") == 200
    assert ask("acme.x.app.example.com") == 200
    assert ask("acme.elsewhere.org") == 200


def test_each_time_again_it_is_twice_as_long(valkey):
    redis = identity_store.client_of(valkey, 5)
    there, also_there = edge.Edge(redis), edge.Edge(redis)
    lasted = []
    for _ in range(7):
        redis.delete(edge.BANNED)
        began = time.time()
        there.turn_away("acme")
        also_there.turn_away("acme")
        lasted.append(round(redis.zscore(edge.BANNED, "acme") - began))

    assert lasted == [2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize("slug", ["..", "../turned-away", "a/b", "", "-", "ACME", "x" * 5 + "/.."])
def test_what_is_no_slug_is_never_named(valkey, slug):
    redis = identity_store.client_of(valkey, 5)
    there = edge.Edge(redis)

    for _ in range(2 * edge.AFTER):
        there.note(slug)

    assert edge.turned_away(redis) == set()


def test_paths_that_climb_out_of_the_folder_find_nothing(caddy, followed):
    (followed.parent / "outside").touch()

    for path in ("/t/../outside", "/t/..%2foutside", "/t/%2e%2e/outside", "/t//", "/t/."):
        assert status_at(caddy, path) != 429


def test_without_redis_nobody_stays_turned_away(tmp_path):
    folder = tmp_path / "turned-away"
    folder.mkdir()
    (folder / "acme").touch()
    nowhere = identity_store.client_of(f"redis://127.0.0.1:{free_port()}/0", 0.1)
    over = threading.Event()
    thread = threading.Thread(target=edge.follow, args=(nowhere, folder, 0.05, over.is_set))
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while (folder / "acme").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        over.set()
        thread.join()
