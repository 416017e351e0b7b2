"""A tenant's transaction: whose it is ends with it, whatever the connection does next."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event, func, select, text
from sqlalchemy.exc import DBAPIError

from app import migrate
from app.db import close_connections, db, reading
from app.features.projects.models import Project
from app.stages.hardened.walls import transactions
from app.stages.hardened.walls.transactions import BeingMoved, Elsewhere
from app.tenancy import WrongTenant, enter, prepared
from tests.conftest import build
from tests.world import as_owner, found, sign_in

ACROSS = {"across_tenants": "a test of what holds without the ORM"}
SETTING = text("SELECT current_setting('app.tenant_id', true)").execution_options(**ACROSS)
NAMES = prepared(select(Project.name))


@pytest.fixture
def narrow(app, database_url, tmp_path):
    """The application with a single connection, and a project of each of two companies."""
    one = build(database_url, tmp_path)
    for pair in one.extensions["engines_by_url"].values():
        for engine in pair:
            engine.pool._pool.maxsize = 1
            engine.pool._max_overflow = 0
    companies = [
        sign_in(one, found(one, slug, slug.title(), f"x@{slug}.test", "X"))
        for slug in ("hooli", "umbrella")
    ]
    for company in companies:
        with company.serving():
            db.session.add(Project(name=company.tenant.slug, created_by=company.user_id))
            db.session.commit()
    yield companies
    close_connections(one)


def seen() -> list[str]:
    raw = text("SELECT name FROM projects").execution_options(**ACROSS)
    return list(db.session.scalars(raw))


def fail_in_sql() -> None:
    with pytest.raises(DBAPIError):
        db.session.execute(text("SELECT 1/0").execution_options(**ACROSS))


ENDS = {
    "commit": lambda: db.session.commit(),
    "rollback": lambda: db.session.rollback(),
    "a failed statement": fail_in_sql,
    "nothing": lambda: None,
    "a savepoint": lambda: db.session.begin_nested().rollback(),
    "a lost connection": lambda: db.session.connection().invalidate(),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_who_comes_next_finds_nothing_of_the_tenant(narrow, end):
    hooli, umbrella = narrow
    with hooli.serving():
        assert seen() == ["hooli"]
        end()

    with hooli.app.app_context():
        assert not db.session.scalar(SETTING)
        assert seen() == []
    with umbrella.serving():
        assert seen() == ["umbrella"]


def test_threads_of_many_tenants_share_one_connection(narrow):
    def work(number: int) -> bool:
        company = narrow[number % 2]
        with company.serving():
            mine = [company.tenant.slug]
            right = seen() == mine and [row.name for row in NAMES.all()] == mine
            (db.session.rollback, db.session.commit)[number % 3 == 0]()
            return right

    with ThreadPoolExecutor(6) as threads:
        assert all(threads.map(work, range(120)))


def test_a_tenant_that_was_set_for_the_session_would_be_found(narrow, monkeypatch):
    """The mutant: what `set_config(..., false)` leaves behind, the tests above would see."""
    hooli, _umbrella = narrow
    with hooli.serving():
        leak = text("SELECT set_config('app.tenant_id', :id, false)").execution_options(**ACROSS)
        db.session.execute(leak, {"id": str(hooli.tenant.id)})
        db.session.commit()

    with hooli.app.app_context():
        assert seen() == ["hooli"]
        db.session.connection().invalidate()


def test_the_tenant_costs_no_message_of_its_own(acme, monkeypatch):
    said = []
    monkeypatch.setattr(
        transactions, "attempt", lambda raw, message: said.append(message) or attempt(raw, message)
    )
    with acme.serving():
        db.session.scalar(select(func.count()).select_from(Project))
        db.session.scalar(select(func.count()).select_from(Project))

    assert said == [f"BEGIN; CALL hardened.enter('{acme.tenant.id}', 0)"]


attempt = transactions.attempt

PLANS = text("SELECT count(*) FROM pg_prepared_statements").execution_options(**ACROSS)
OFTEN = 7  # The driver prepares what it's asked for the sixth time.


def test_what_is_prepared_outlives_the_transactions_that_read(narrow):
    hooli, _ = narrow
    with hooli.serving():
        for _ in range(OFTEN):
            assert NAMES.all() == [("hooli",)]
            assert db.session.scalars(select(Project.name)).all() == ["hooli"]
            db.session.rollback()

        assert db.session.scalar(PLANS) > 0
        with reading("features") as connection:
            assert connection.scalar(PLANS) > 0


def test_after_an_error_everything_is_prepared_anew(narrow):
    """It may have been the plan: the driver forgets it, and the next try has another one."""
    hooli, _ = narrow
    with hooli.serving():
        for _ in range(OFTEN):
            assert db.session.scalars(select(Project.name)).all() == ["hooli"]
            db.session.rollback()
        fail_in_sql()
        db.session.rollback()

        assert db.session.scalar(PLANS) == 0


def test_a_tenant_that_is_entered_late_is_served_from_then_on(acme):
    """As where a workspace is founded: its first rows are in the transaction that makes it."""
    with acme.app.app_context():
        assert seen() == []
        enter(acme.tenant)
        db.session.add(Project(name="first", created_by=acme.user_id))
        db.session.commit()
        assert seen() == ["first"]


def test_a_savepoint_that_is_taken_back_takes_no_wall_along(acme):
    with acme.app.app_context():
        db.session.execute(SETTING)
        savepoint = db.session.begin_nested()
        enter(acme.tenant)
        db.session.add(Project(name="regretted", created_by=acme.user_id))
        db.session.flush()
        savepoint.rollback()
        db.session.add(Project(name="kept", created_by=acme.user_id))
        db.session.commit()
        assert seen() == ["kept"]


def refused() -> None:
    """A statement that the database refuses, in a savepoint of its own."""
    with pytest.raises(DBAPIError), db.session.begin_nested():
        db.session.execute(text("SELECT 1/0").execution_options(**ACROSS))


def test_a_savepoint_of_a_tenant_that_came_late_is_taken_back_after_a_failure(acme):
    with acme.app.app_context():
        db.session.execute(SETTING)
        enter(acme.tenant)
        refused()
        db.session.add(Project(name="kept", created_by=acme.user_id))
        refused()
        db.session.commit()
        assert seen() == ["kept"]


def test_who_came_late_is_forgotten_with_the_transaction(narrow):
    """The connection is reused, and what is taken back there must not end the transaction."""
    hooli, umbrella = narrow
    with hooli.app.app_context():
        db.session.execute(SETTING)
        enter(hooli.tenant)
        assert seen() == ["hooli"]
        db.session.rollback()

    with umbrella.serving():
        db.session.add(Project(name="kept", created_by=umbrella.user_id))
        refused()
        db.session.commit()
        assert sorted(seen()) == ["kept", "umbrella"]


def test_one_transaction_serves_one_tenant(acme, initech):
    with acme.serving():
        connection = db.session.connection()
        with initech.serving(), pytest.raises(WrongTenant):
            connection.execute(text("SELECT 1"))


def place(app, tenant, state: str, epoch: int = 0) -> None:
    row = text(
        "INSERT INTO hardened.placements VALUES (:id, :epoch, :state) "
        "ON CONFLICT (tenant_id) DO UPDATE SET epoch = :epoch, state = :state"
    )
    with as_owner(app) as connection:
        connection.execute(row, {"id": tenant.id, "epoch": epoch, "state": state})


def test_a_tenant_that_is_gone_or_at_another_epoch_is_elsewhere(app, acme, initech):
    for state, epoch in (("gone", 0), ("active", 1)):
        place(app, acme.tenant, state, epoch)
        with acme.serving(), pytest.raises(Elsewhere):
            seen()
    with initech.serving():
        assert seen() == []  # The others notice nothing.


def test_a_silo_serves_only_whom_it_was_made_for(app, by_owner, acme, initech):
    by_owner("UPDATE hardened.kind SET kind = 'silo'")
    place(app, acme.tenant, "active")
    try:
        with acme.serving():
            assert seen() == []
        with initech.serving(), pytest.raises(Elsewhere):
            seen()
    finally:
        by_owner("UPDATE hardened.kind SET kind = 'pool'")


def test_a_fenced_tenant_waits_for_the_end_of_its_move(app, acme):
    place(app, acme.tenant, "fenced")
    waits = threading.Event()

    def sees() -> list[str]:
        with acme.serving():
            waits.set()
            return seen()

    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(sees)
        waits.wait()
        place(app, acme.tenant, "active")
        assert answer.result(timeout=30) == []


def test_a_move_that_takes_too_long_is_a_503_that_says_when_to_come_again(app, acme, monkeypatch):
    monkeypatch.setattr(transactions, "PATIENCE_SECONDS", 0.1)
    place(app, acme.tenant, "fenced")

    answer = acme.get("/api/v1/projects/")

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    with acme.serving(), pytest.raises(BeingMoved):
        seen()


def test_the_fence_waits_for_transactions_that_have_begun(app, acme):
    """Who moves a tenant takes its lock alone, so nothing is written behind the copy's back."""
    lock = text(
        "SELECT pg_try_advisory_xact_lock(hashtextextended(CAST(:id AS text), 0))"
    ).bindparams(id=str(acme.tenant.id))

    with acme.serving():
        seen()
        with as_owner(app) as connection:
            assert connection.scalar(lock) is False
        db.session.commit()
    with as_owner(app) as connection:
        assert connection.scalar(lock) is True


@pytest.fixture(autouse=True)
def nobody_is_placed(app):
    yield
    with as_owner(app) as connection:
        connection.execute(text("DELETE FROM hardened.placements"))


def test_a_database_without_walls_serves_no_tenant(fresh_app):
    with fresh_app.app_context():
        pair = next(iter(fresh_app.extensions["engines_by_url"].values()))
    assert event.contains(pair.writer, "begin", transactions.begin)

    migrate.upgrade(fresh_app)
    company = sign_in(fresh_app, found(fresh_app, "acme", "Acme", "a@a.test", "A"))
    with as_owner(fresh_app) as connection:
        connection.execute(text("DROP SCHEMA hardened CASCADE"))

    with company.serving(), pytest.raises(DBAPIError, match="hardened"):
        seen()
