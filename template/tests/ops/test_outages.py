"""The database goes away or its disk fills up: it's said clearly, and nothing is lost."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from flask import Flask
from sqlalchemy import event, func, inspect, select, text

from app import migrate
from app.access import public
from app.db import close_connections, db
from app.dev.postgres import Postgres
from app.jobs import later
from tests.conftest import build
from tests.jobs import work
from tests.world import Company, found, sign_in

NOWHERE = "postgresql://ada:secret-word@127.0.0.1:1/app"


@pytest.fixture
def server() -> Iterator[Postgres]:
    """A PostgreSQL of this test's own, to stop."""
    with TemporaryDirectory(prefix="postgres-") as folder:
        server = Postgres(Path(folder))
        server.start()
        yield server
        if (server.data / "postmaster.pid").exists():
            server.stop()


@pytest.fixture
def acme(server, tmp_path) -> Iterator[Company]:
    """Acme, on that server."""
    server.make_database("app")
    url, owner_url = server.make_roles("app")
    app = build(url, tmp_path, migrations_database_url=owner_url)
    migrate.upgrade(app)
    yield sign_in(app, found(app, "acme", "Acme", "ada@acme.test", "Ada"))
    close_connections(app)


@pytest.mark.postgres
def test_a_database_that_goes_away_is_a_503_until_it_is_back(server, acme):
    assert acme.get("/", follow_redirects=True).status_code == 200
    assert acme.client.get("/readyz").status_code == 200

    server.stop()

    page = acme.get("/")
    assert page.status_code == 503
    assert "Our database doesn&#39;t answer." in page.text
    problem = acme.get("/", headers={"Accept": "application/json"})
    assert (problem.status_code, problem.mimetype) == (503, "application/problem+json")
    assert acme.client.get("/healthz").status_code == 200
    ready = acme.client.get("/readyz")
    assert (ready.status_code, ready.json["status"]) == (503, "not ready")

    server.start()

    assert acme.get("/", follow_redirects=True).status_code == 200
    assert acme.client.get("/readyz").status_code == 200


@pytest.mark.parametrize("command", ["db upgrade", "db current", "db check", "seed"])
def test_an_unreachable_database_is_one_message_without_the_password(tmp_path, command):
    app = build(NOWHERE, tmp_path)

    answer = app.test_cli_runner().invoke(args=command.split())

    assert answer.exit_code == 1
    assert answer.output.startswith("Error: The database doesn't answer")
    assert "ada:***@127.0.0.1:1/app" in answer.output
    assert "secret-word" not in answer.output


@pytest.mark.parametrize("path", ["/t/acme/", "/readyz"])
def test_an_unreachable_database_is_a_503(tmp_path, path):
    app = build(NOWHERE, tmp_path)

    answer = app.test_client().get(path)

    assert answer.status_code in {503, 302}
    assert "secret-word" not in answer.text


def test_what_is_no_database_is_said(tmp_path):
    (tmp_path / "notes.txt").write_text("Buy milk. " * 100)
    app = build(f"sqlite:///{tmp_path / 'notes.txt'}", tmp_path)

    answer = app.test_cli_runner().invoke(args=["db", "upgrade"])

    assert answer.exit_code == 1
    assert "file is not a database" in answer.output
    assert (tmp_path / "notes.txt").read_text().startswith("Buy milk.")


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Flask]:
    """An application whose database has room for a few rows more."""
    app = build(f"sqlite:///{tmp_path / 'small.db'}", tmp_path)
    migrate.upgrade(app)
    app.add_url_rule("/save", view_func=save, methods=["POST"])
    with app.app_context(), db.engine.connect() as connection:
        pages = connection.scalar(text("PRAGMA page_count"))
    for engines in app.extensions["engines_by_url"].values():
        for engine in engines:
            engine.dispose()
            event.listen(engine, "connect", limit_to(pages + 20))
    yield app
    close_connections(app)


def limit_to(pages: int):
    return lambda connection, _record: connection.execute(f"PRAGMA max_page_count={pages}")


@public
def save():
    for _ in range(5):
        later(work.say_where, "x" * 2000)
    db.session.commit()
    return {}


def test_a_full_disk_is_said_and_keeps_what_was_saved(small_disk):
    client = small_disk.test_client()
    answers = [client.post("/save") for _ in range(20)]
    saved = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code == 507]

    assert saved
    assert len(saved) + len(refused) == 20
    assert "our disk is full" in refused[-1].text
    assert client.get("/").status_code == 200  # It still reads.
    with small_disk.app_context():
        assert db.session.scalar(select(func.count()).select_from(work.jobs.Job)) == 5 * len(saved)


# --- Migrations ----------------------------------------------------------------------------------


@pytest.fixture
def empty(empty_database_url, tmp_path) -> Iterator[Flask]:
    """An application on a database without tables."""
    app = build(empty_database_url, tmp_path)
    yield app
    close_connections(app)


@pytest.fixture
def history(tmp_path, monkeypatch) -> Path:
    """A history of the features in which the second migration fails half-way."""
    folder = tmp_path / "versions"
    folder.mkdir()
    usual = migrate.versions_of
    monkeypatch.setattr(
        migrate, "versions_of", lambda package: folder if package == "features" else usual(package)
    )
    write(folder, 1, None, 'op.create_table("orders", sa.Column("name", sa.Text))')
    return folder


def write(folder: Path, number: int, after: str | None, *deeds: str) -> None:
    lines = "\n    ".join(deeds)
    (folder / f"features_{number:04}_x.py").write_text(
        f"""
import sqlalchemy as sa
from alembic import op

revision = "features_{number:04}"
down_revision = {after!r}


def upgrade():
    {lines}
"""
    )


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        ('op.execute("INSERT INTO nowhere VALUES (1)")', "nowhere"),
        ('op.execute("SELEC")', "syntax error"),
        ('raise ValueError("No such plan.")', "rolled back"),
    ],
)
def test_a_migration_that_fails_half_way_leaves_the_tables_as_before(
    empty, history, mistake, words
):
    migrate.upgrade(empty)
    with empty.app_context(), db.engine.begin() as connection:
        connection.execute(text("INSERT INTO orders (name) VALUES ('Kept')"))
    write(
        history,
        2,
        "features_0001",
        'op.create_table("half", sa.Column("name", sa.Text))',
        'op.add_column("orders", sa.Column("more", sa.Text))',
        "op.execute(\"UPDATE orders SET name = 'Changed'\")",
        mistake,
    )

    answer = empty.test_cli_runner().invoke(args=["db", "upgrade"])

    assert answer.exit_code == 1
    assert migrate.ROLLED_BACK in answer.output
    assert words in answer.output
    with empty.app_context(), db.engine.connect() as connection:
        inspector = inspect(connection)
        assert "half" not in inspector.get_table_names()
        assert [column["name"] for column in inspector.get_columns("orders")] == ["name"]
        assert connection.scalars(text("SELECT name FROM orders")).all() == ["Kept"]
        assert migrate.current_of("features", connection) == {"features_0001"}

    mend(history)
    assert empty.test_cli_runner().invoke(args=["db", "upgrade"]).exit_code == 0


def mend(history: Path) -> None:
    (history / "features_0002_x.py").unlink()
    write(history, 2, "features_0001", 'op.create_table("half", sa.Column("name", sa.Text))')
