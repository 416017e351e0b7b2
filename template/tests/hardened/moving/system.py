"""A pool of the features beside auth's database, and processes that move tenants there."""

import json
import subprocess
import sys
import threading
from uuid import UUID

import psycopg
from flask import Flask

from app.db import Pair, make_pair
from app.stages.hardened.catalog import api as catalog
from app.stages.hardened.catalog import drivers
from app.stages.hardened.silos.names import database_of
from app.tenancy import Tenant
from tests.hardened.moving.world import Place, new_tenant


class Movers:
    """The process that forks movers."""

    def __init__(self, config: dict[str, str]) -> None:
        command = [sys.executable, "-m", "tests.hardened.moving.mover_process", json.dumps(config)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, **wish: object) -> tuple[int, str]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(wish) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer["code"], answer["said"]

    def stop(self) -> None:
        self.process.communicate()


class System(Place):
    """A pool of the features beside auth's database, which has the catalog and the moves."""

    def __init__(
        self, admin: Flask, writing: Flask, server: str, pool: str, auth: str, acme: Tenant
    ) -> None:
        self.admin, self.auth, self.opening = admin, auth, threading.Lock()
        silo = f"{server.rsplit('/', 1)[0]}/{database_of('features', acme.id)}"
        super().__init__(writing, server, pool, silo, acme, [new_tenant("initech")])
        self.pairs.clear()

    def look(self) -> tuple[str, int]:
        """What the catalog says."""
        asked = (
            "SELECT target, epoch FROM auth_placements WHERE tenant_id = %s AND service='features'"
        )
        with self.side("auth").connect() as connection:
            row = connection.execute(asked, (self.acme.id,)).fetchone() or ("", 0)
        return ("silo" if row[0] else "pool"), row[1]

    def find(self, common: Pair) -> Pair:
        self.served, _ = self.look()
        with self.opening:
            if self.served == "silo" and "silo" not in self.pairs:
                with self.admin.app_context():
                    url = drivers.engine_url(catalog.target(database_of("features", self.acme.id)))
                self.pairs["silo"] = make_pair(self.app, url, {})
        return super().find(common)

    def epoch_of(self, tenant_id: UUID) -> int:
        return self.look()[1] if tenant_id == self.acme.id else 0

    def homes(self) -> list[str]:
        """Which databases would let the tenant in."""
        here = self.placement("pool") or ("active", 0)
        homes = ["pool"] if here[0] == "active" else []
        try:
            there = self.placement("silo")
        except psycopg.OperationalError:
            there = None
        return homes + (["silo"] if there and there[0] == "active" else [])
