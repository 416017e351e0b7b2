"""The commands as processes, killed at any moment and started again: the end is the same."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import create_engine, text

from app import migrate
from app.db import METADATA, close_connections, now
from app.stages.services.settings import SERVICES
from tests.conftest import build
from tests.services.promote.conftest import World

pytestmark = [pytest.mark.postgres, pytest.mark.processes]

ROOT = Path(__file__).parents[3]
ROWS = 6_000
FLASK = (sys.executable, "-m", "flask", "--app", "app", "promote")
SMALL = ("--batch", "10")
FACTS = METADATA["analytics"].tables["analytics_events"]


@pytest.fixture(params=["sqlite", "postgresql"])
def source_kind(request):
    return request.param


@pytest.fixture
def world(source_kind, tmp_path, databases):
    """A prototype as the template is, with many facts."""
    source = f"sqlite:///{tmp_path}/pooled.db" if source_kind == "sqlite" else databases("pooled")
    app = build(source, tmp_path)
    migrate.upgrade(app)
    close_connections(app)
    world = World(source, {one: databases(one) for one in SERVICES}, [uuid4() for _ in range(3)])
    with world.engine().begin() as connection:
        connection.execute(FACTS.insert(), [fact(world, number) for number in range(ROWS)])
    return world


def fact(world, number):
    return {
        "tenant_id": world.tenants[number % 3],
        "id": uuid4(),
        "name": f"happened {number}",
        "facts": "{}",
        "at": now(),
    }


def start(world, command, *options):
    urls = [part for name, url in world.targets.items() for part in (f"--{name}", url)]
    return subprocess.Popen(
        [*FLASK, command, "--from", world.source, *urls, *options],
        cwd=ROOT,
        env=os.environ | {"APP_ENV": "development"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(world, command, *options):
    process = start(world, command, *options)
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


def look(url, statement):
    """A number from a target, 0 while the table isn't there yet."""
    with suppress(psycopg.Error), psycopg.connect(url.replace("+psycopg", "")) as connection:
        return connection.execute(statement).fetchone()[0]
    return 0


def rows_done(world):
    return look(
        world.targets["analytics"], "SELECT coalesce(sum(rows_done), 0) FROM _promote_progress"
    )


def has_begun(world, service):
    return lambda: look(world.targets[service], "SELECT count(*) FROM _promote_run")


def after(seconds):
    ends = time.monotonic() + seconds
    return lambda: time.monotonic() > ends


def after_rows(world, rows):
    return lambda: rows_done(world) >= rows


def kill_after(process, is_time):
    """SIGKILL once it's time; whether the process was still at work."""
    while process.poll() is None and not is_time():
        time.sleep(0.005)
    at_work = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return at_work


def test_a_promote_that_is_killed_again_and_again(world):
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    for service in ("auth", "analytics"):  # While the tables are being made.
        kill_after(start(world, "copy", *SMALL), has_begun(world, service))
    reached = []
    for _ in range(3):  # In the midst of the rows.
        threshold = rows_done(world) + chance.randrange(1, ROWS // 6)
        process = start(world, "copy", *SMALL)
        kill_after(process, after_rows(world, threshold))
        reached.append(rows_done(world))
    assert 0 < reached[0] < ROWS, f"no kill hit the copying (seed {seed})"
    assert reached == sorted(reached), "a run went on where the one before ended"

    code, output = run(world, "copy")
    assert code == 0, output
    change_some(world)
    for _ in range(3):
        kill_after(start(world, "finish"), after(chance.uniform(1, 5)))
    finish_and_look(world, seed)


def change_some(world):
    """A tenth changes, a tenth goes, some come."""
    with world.engine().begin() as connection:
        connection.execute(FACTS.update().where(FACTS.c.name.like("%1")).values(facts="[]"))
        connection.execute(FACTS.delete().where(FACTS.c.name.like("%2")))
        connection.execute(FACTS.insert(), [fact(world, n) for n in range(500)])


def finish_and_look(world, seed):
    code, output = run(world, "finish")

    # A run that was killed after its last word had finished already.
    assert "Verified:" in output or "finished and may be in use" in output, output
    assert code == ("Verified:" not in output)
    assert world.rows("analytics", FACTS) == world.rows(None, FACTS), f"seed {seed}"
    engine = create_engine(world.targets["analytics"], poolclass=sa.NullPool)
    assert "ix_shared_jobs_state_due_at" in {
        one["name"] for one in sa.inspect(engine).get_indexes("shared_jobs")
    }
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM _promote_later")) == 0


def test_the_commands_from_plan_to_end(world):
    """What people type, and what they read."""
    code, output = run(world, "plan")
    assert code == 0, output
    assert f"{ROWS:,} rows in all." in output
    assert "Nothing stands in the way. Next: flask promote copy" in output

    code, output = run(world, "copy")
    assert code == 0, output
    assert f"Copied {ROWS:,} rows" in output

    code, output = run(world, "finish")
    assert code == 0, output
    assert f"Verified: {ROWS:,} rows" in output
    assert "the read-only window was" in output

    code, output = run(world, "plan")
    assert code == 1
    assert "finished and may be in use" in output
