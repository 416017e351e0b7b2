"""The commands as people type them; those that move rows are tested as processes."""

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from app.db import close_connections
from app.stages.services.promote.run import copy, finish
from tests.conftest import build

pytestmark = pytest.mark.postgres
COMMANDS = ("plan", "copy", "finish", "status", "abandon", "freeze", "thaw")


@pytest.fixture(params=["sqlite"])
def source_kind(request):
    return request.param


@pytest.fixture(params=["sqlite"])
def target_kind(request):
    return request.param


@pytest.fixture
def promote(world, tmp_path):
    """Runs `flask promote ...` where the settings name the four databases."""
    urls = {f"{service}_database_url": url for service, url in world.targets.items()}
    app = build("sqlite:///unused.db", tmp_path, **urls)
    yield lambda *arguments: app.test_cli_runner().invoke(args=["promote", *arguments])
    close_connections(app)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(make_app, command):
    answer = make_app().test_cli_runner().invoke(args=["promote", command, "--help"])

    assert answer.exit_code == 0
    assert "Usage:" in answer.output


def test_the_settings_name_the_targets(world, promote):
    answer = promote("plan", "--from", world.source)

    assert answer.exit_code == 0, answer.output
    assert "features: " in answer.output
    assert "clicks" in answer.output
    assert "no primary key: copied whole" in answer.output
    assert str(world.tenants[0]) in answer.output


def test_a_source_is_found_beside_the_settings_own(world, promote):
    """SQLite URLs are relative to instance/ here as in DATABASE_URL."""
    assert promote("plan", "--from", "sqlite:///pooled.db").exit_code == 0


def test_what_stands_in_the_way_is_an_error(world, promote):
    answer = promote("plan", "--from", world.source, "--billing", world.targets["auth"])

    assert answer.exit_code == 1
    assert "This stands in the way" in answer.output


def test_status_says_how_far_each_is(world, promote):
    assert promote("status").output.count("no promote has begun") == 0  # No file is there yet.

    copy(world.source, world.targets)
    assert promote("status").output.count("copied, from sqlite:///") == 4

    finish(world.source, world.targets)
    assert promote("status").output.count("rows verified, window") == 4


def test_abandoning_is_asked_about(world, promote):
    copy(world.source, world.targets)

    assert promote("abandon").exit_code == 1
    assert promote("abandon", "--yes").output.startswith("Emptied: auth, billing")
    assert promote("status").output.count("no promote has begun") == 4


def test_a_file_cannot_be_frozen(world, promote):
    answer = promote("freeze", "--from", world.source)

    assert answer.exit_code == 1
    assert "stop the product instead" in answer.output


@pytest.mark.parametrize("source_kind", ["postgresql"], indirect=True)
def test_a_frozen_source_refuses_writes_and_is_finished(world, promote):
    copy(world.source, world.targets)
    pool = create_engine(world.source)
    write = text("UPDATE currencies SET name = 'late'")
    pool.connect().close()  # A connection of the product's, as it waits in its pool.

    assert promote("freeze", "--from", world.source).exit_code == 0
    for _ in range(2):
        with pytest.raises(DBAPIError), pool.begin() as connection:
            connection.execute(write)
    assert finish(world.source, world.targets).rows
    assert promote("thaw", "--from", world.source).exit_code == 0

    thawed = create_engine(world.source, poolclass=sa.NullPool)
    with thawed.begin() as connection:
        connection.execute(write)
    pool.dispose()


@pytest.mark.parametrize(
    ("mischief", "words"),
    [
        ("name = CAST(x'ff' AS TEXT)", ["A row of currencies can't be read", "UTF-8"]),
        ("name = 'long'", ["A database gave up in the middle", "run it again"]),
    ],
)
def test_what_goes_wrong_is_said_without_a_traceback(world, promote, monkeypatch, mischief, words):
    with world.engine().begin() as connection:
        connection.execute(text(f"UPDATE currencies SET {mischief}"))
    if "long" in mischief:

        def give_up(*_):
            raise psycopg.OperationalError("server closed the connection unexpectedly")

        monkeypatch.setattr("app.stages.services.promote.run.copy_table", give_up)

    answer = promote("copy", "--from", world.source)

    assert answer.exit_code == 1
    assert isinstance(answer.exception, SystemExit)
    assert all(word in answer.output for word in words), answer.output
