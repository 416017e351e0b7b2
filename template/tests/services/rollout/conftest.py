"""A real auth database in a real PostgreSQL, with as many tenants as a test wants."""

import itertools
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from app import migrate
from app.db import close_connections
from app.stages.services.rollout.driver import Driver
from app.stages.services.rollout.gates import Buckets, Counts
from app.stages.services.rollout.store import Store
from app.stages.services.rollout.waves import Waves
from tests.conftest import build

NUMBERS = itertools.count()
EMPTY = (
    "TRUNCATE rollout.steps, rollout.pins, rollout.tenants, rollout.rollouts, rollout.followers, "
    "rollout.releases, rollout.gateway RESTART IDENTITY"
)


class Measured:
    """A source whose figures a test decides."""

    def __init__(self) -> None:
        self.counts: dict[str, dict[str, Counts]] = {}
        self.buckets: dict[str, Buckets] = {}
        self.away: Exception | None = None

    def tenants(self, release: str, since: datetime) -> dict[str, Counts]:
        if self.away:
            raise self.away
        return self.counts.get(release, {})

    def seconds(self, release: str, since: datetime) -> Buckets:
        return self.buckets.get(release, {})


@pytest.fixture(scope="module")
def auth_url(postgres_server, worker_id, tmp_path_factory) -> str:
    """auth's database, with its tables and nobody in it."""
    name = f"rollout_{worker_id}_{next(NUMBERS)}"
    engine = create_engine(postgres_server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    url = make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
    app = build(url, tmp_path_factory.mktemp("rollout"))
    for package in ("auth", "billing"):
        migrate.upgrade(app, package)
    close_connections(app)
    with Store(url) as store:
        store.prepare(None)
    return url


@pytest.fixture
def tenants(auth_url) -> Callable[[int], None]:
    """Makes so many tenants: t1, t2, ..."""
    return lambda count: make_tenants(auth_url, count)


def make_tenants(url: str, count: int) -> None:
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO auth_tenants (id, slug, name, created_at) "
                "SELECT gen_random_uuid(), 't' || n, 'T', now() FROM generate_series(1, :n) AS n"
            ),
            {"n": count},
        )


@pytest.fixture
def store(auth_url) -> Iterator[Store]:
    """The memory, with the releases old (which everybody has) and new, and one gateway."""
    with Store(auth_url) as store:
        begin_anew(store)
        yield store
    engine = create_engine(auth_url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE auth_memberships, auth_tenants CASCADE"))


def begin_anew(store: Store) -> None:
    with store.transaction() as connection:
        connection.execute(text(EMPTY))
        connection.execute(text("INSERT INTO rollout.gateway (made) VALUES (1)"))
    for release in ("old", "new"):
        store.know(release, {}, {"auth": ["auth_0001"]})
    store.adopt("old", "test", "")
    store.follows("gateway", 10**9)


def driver_of(store: Store, source: Measured, **options: object) -> Driver:
    """A driver that waits for nothing, and a release that answers."""
    given = {
        "probe": lambda _release: "",
        "journey": lambda _rollout: "",
        "say": lambda _what: None,
        "tick": 0,
        "sleep": lambda _seconds: None,
    }
    return Driver(store, source, "test", **given | options)


def waves_of(*waves: dict[str, object], **gates: object) -> Waves:
    quick = {"soak": 0, "patience": 0, "requests": 1, "blind": 0}
    return Waves.model_validate({"wave": waves, "gates": quick | gates})
