"""A server for silos that asks for passwords, as a real one does, and whose administrator is no
superuser."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from sqlalchemy import make_url

from app import create_app, migrate
from app.db import close_connections
from app.dev.postgres import Postgres
from tests.hardened.silos.fleet import ONE_TABLE, Fleet, plain, write_migration

MANAGED = "CREATE ROLE administrator LOGIN PASSWORD 'admin' CREATEDB CREATEROLE"
RULES = "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"


@pytest.fixture(scope="package")
def server() -> Iterator[Postgres]:
    with TemporaryDirectory(prefix="postgres-") as folder, Postgres(Path(folder)) as server:
        (server.data / "pg_hba.conf").write_text(RULES)
        with psycopg.connect(plain(server.url("postgres")), autocommit=True) as connection:
            connection.execute("SELECT pg_reload_conf()")
            connection.execute(MANAGED)
            connection.execute("REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC")
            connection.execute("GRANT CONNECT ON DATABASE postgres TO administrator")
        yield server


@pytest.fixture(scope="package")
def admin(server: Postgres) -> str:
    """The administrator's URL: SILO_ADMIN_DATABASE_URL."""
    url = make_url(server.url("postgres")).set(username="administrator", password="admin")
    return url.render_as_string(hide_password=False)


@pytest.fixture(scope="package")
def memory_url(server: Postgres) -> str:
    """Auth's database, which remembers the fleet; of all packages, as the pool is in a small
    system."""
    server.make_database("pool")
    url = server.url("pool")
    app = create_app({"app_env": "testing", "database_url": url})
    migrate.upgrade(app)
    close_connections(app)
    return url


@pytest.fixture
def fleet(make_app, memory_url: str, admin: str) -> Iterator[Fleet]:
    app = make_app(database_url=memory_url, silo_admin_database_url=admin)
    fleet = Fleet(app, admin)
    yield fleet
    fleet.drop(*fleet.silos)
    with psycopg.connect(plain(memory_url)) as connection:
        connection.execute("TRUNCATE auth_fleet_runs, auth_fleet_silos CASCADE")


@pytest.fixture
def next_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes this code a release with one more migration."""
    folder = tmp_path / "versions"
    folder.mkdir()
    known = migrate.folders_of

    def folders_of(package: str) -> list[Path]:
        return [*known(package), *([folder] if package == "features" else [])]

    def release(upgrade: str = ONE_TABLE, revision: str = "features_0002") -> None:
        write_migration(folder, upgrade, revision)
        monkeypatch.setattr(migrate, "folders_of", folders_of)

    return release
