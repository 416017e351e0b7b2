"""Auth as a real gunicorn, and the product in this process, which asks it.

`uv run python -m tests.services.wire.neighbour` prints what a question costs.
"""

import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory

from flask import Flask
from werkzeug.serving import make_server

from app import auth, create_app, migrate
from app.db import close_connections
from app.dev.postgres import Postgres
from app.stages.services import keys
from app.stages.services.settings import SERVICES
from app.tenancy import Tenant, serving
from tests.conftest import build
from tests.databases import make_database
from tests.ops.server import Server
from tests.world import found

NOWHERE = {f"{name}_url": "http://127.0.0.1:1" for name in SERVICES}
NOWHERE["redis_url"] = "redis://127.0.0.1:1"


class Auth(Server):
    """The service auth, which finds the product's keys at an address."""

    def __init__(self, folder: Path, database_url: str, features_url: str) -> None:
        settings = {name.upper(): value for name, value in NOWHERE.items()}
        settings |= {"SERVES": "auth", "WORKER": "separate", "FEATURES_URL": features_url}
        settings |= {"SIGNING_KEYS": keys.new_key()}
        super().__init__(folder, database_url, **settings)


@contextmanager
def two_services(folder: Path, url: str) -> Iterator[tuple[Flask, Auth, Tenant]]:
    """The product, auth with an empty database, and a tenant that both know."""
    whole = build(url, folder)
    migrate.upgrade(whole)
    tenant = found(whole, "acme", "Acme", "ada@acme.test", "Ada").tenant
    product = {"app_env": "testing", "serves": "features", "signing_keys": [keys.new_key()]}
    # Auth fetches the product's keys when it starts, and the product wants auth's address.
    published = create_app(product | NOWHERE)
    apps = [whole, published]
    publisher = make_server("127.0.0.1", 0, published)
    threading.Thread(target=publisher.serve_forever, args=[0.02], daemon=True).start()
    server = Auth(folder, url, f"http://127.0.0.1:{publisher.server_port}")
    try:
        server.wait_until_it_serves()
        apps.append(
            create_app(product | NOWHERE | {"auth_url": server.address, "log_level": "ERROR"})
        )
        yield apps[-1], server, tenant
    finally:
        server.stop()
        publisher.shutdown()
        publisher.server_close()
        for app in apps:
            close_connections(app)


def what_a_question_costs(times: int = 500) -> str:
    """How long one question takes, over a kept connection to a gunicorn on this machine."""
    with TemporaryDirectory() as name, Postgres(Path(name) / "postgres") as postgres:
        url = make_database(postgres.url("postgres"), "auth")
        with two_services(Path(name), url) as (app, _server, tenant):
            asked = measure(app, tenant, times)
    cuts = quantiles(asked, n=100)
    return f"{times} questions: median {cuts[49]:.2f} ms, p95 {cuts[94]:.2f}, p99 {cuts[98]:.2f}"


def measure(app: Flask, tenant: Tenant, times: int) -> list[float]:
    took = []
    with app.app_context(), serving(tenant):
        for _ in range(20):
            auth.headcount()
        for _ in range(times):
            begun = time.perf_counter()
            auth.headcount()
            took.append((time.perf_counter() - begun) * 1000)
    return took


if __name__ == "__main__":
    logging.disable()
    sys.stdout.write(what_a_question_costs() + "\n")
