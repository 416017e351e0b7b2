"""A mover that is killed at any point: nothing is lost, and the tenant has one home."""

import json
import subprocess
import sys

import psycopg
import pytest

from app import migrate
from app.stages.hardened.silos.names import database_of
from tests.databases import make_database, owner_of
from tests.hardened.moving.world import Place, make_store, new_tenant
from tests.hardened.moving.writers import NOTHING, Writer, wrong
from tests.world import found

pytestmark = [pytest.mark.postgres, pytest.mark.processes]

STEPS = ("check", "prepare", "publish", "copy", "arm", "switch", "turn")
# In the order in which a move comes by; "activated" is the last one before which the pool serves.
POINTS = (
    "before check",
    "after prepare",
    "before publish",
    "after publish",
    "slot made",
    "subscribed",
    "after copy",
    "after arm",
    "compared",
    "fenced",
    "given up",
    "caught up",
    "verified",
    "carried",
    "before activation",
    "activated",
    "before turn",
    "unsubscribed",
    "after turn",
)


class Movers:
    """The process that forks movers."""

    def __init__(self, config):
        command = [sys.executable, "-m", "tests.hardened.moving.mover_process", json.dumps(config)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, **wish):
        self.process.stdin.write(json.dumps(wish) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer["code"], answer["said"]

    def stop(self):
        self.process.communicate()


class System(Place):
    """A pool of the features beside auth's database, which has the catalog and the moves."""

    def __init__(self, app, server, pool, auth, acme):
        self.auth = auth
        silo = f"{server.rsplit('/', 1)[0]}/{database_of('features', acme.id)}"
        super().__init__(app, server, pool, silo, acme, [new_tenant("initech")])

    def look(self):
        asked = (
            "SELECT target, epoch FROM auth_placements WHERE tenant_id = %s AND service='features'"
        )
        with self.side("auth").connect() as connection:
            row = connection.execute(asked, (self.acme.id,)).fetchone() or ("", 0)
        return ("silo" if row[0] else "pool"), row[1]

    def find(self, common):
        self.served, _ = self.look()
        return super().find(common)

    def epoch_of(self, tenant_id):
        return self.look()[1] if tenant_id == self.acme.id else 0

    def homes(self):
        """Which databases would let the tenant in."""
        here = self.placement("pool") or ("active", 0)
        homes = ["pool"] if here[0] == "active" else []
        try:
            there = self.placement("silo")
        except psycopg.OperationalError:
            there = None
        return homes + (["silo"] if there and there[0] == "active" else [])


@pytest.fixture
def system(server, make_app):
    pool = make_store(server.url("postgres"), "pool", "pool")
    auth = make_database(server.url("postgres"), "auth")
    settings = {
        "app_env": "testing",
        "serves": "auth",
        "database_url": auth,
        "migrations_database_url": owner_of(auth),
        "features_database_url": pool,
        "features_migrations_database_url": owner_of(pool),
        "silo_admin_database_url": server.url("postgres"),
        # Nobody answers there: what is published waits in the outbox.
        "redis_url": "redis://127.0.0.1:1/0",
        **{f"{name}_url": "http://127.0.0.1:1" for name in ("billing", "analytics", "features")},
    }
    admin = make_app(**settings)
    migrate.upgrade(admin)
    seat = found(admin, "acme", "Acme", "ada@acme.test", "Ada")
    writing = make_app(database_url=pool)
    system = System(writing, server.url("postgres"), pool, auth, seat.tenant)
    movers = Movers(settings)
    yield system, movers
    movers.stop()
    system.pairs["silo"].writer.dispose()
    system.pairs["silo"].reader.dispose()


def test_killed_at_every_point_in_turn(system):
    place, move = system
    for tenant in (place.acme, *place.others):
        place.fill(tenant, 500)
    others = place.counted("pool", mine=False)
    writers = [Writer(place.app, place.acme, pause=0.05, patience=120).start() for _ in range(4)]

    for point in POINTS:
        code, said = move(slug="acme", goal="silo", die_at=point)
        assert code == -9, (point, said)
        assert len(place.homes()) <= 1, point
    code, said = move(slug="acme", goal="silo")
    assert code == 0, said
    for writer in writers:
        writer.stop()

    assert place.homes() == ["silo"]
    assert wrong(writers, place.names("silo")) == NOTHING
    assert place.counted("pool", mine=False) == others
