"""Workers that are killed while events flow: each event is heard once, and in its turn."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from tests.services.events.trial import trial

STEPS = 5_000
KILLS = 3

pytestmark = [pytest.mark.processes, pytest.mark.postgres, pytest.mark.kills]


@pytest.fixture
def databases(postgres_server: str, worker_id: str) -> dict[str, str]:
    """An empty database for each of two services."""
    made = {}
    engine = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    for service in ("features", "billing"):
        name = f"events_{service}_{worker_id}"
        with engine.connect() as connection:
            connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
            connection.execute(text(f'CREATE DATABASE "{name}"'))
        made[service] = make_url(postgres_server).set(database=name).render_as_string(False)
    engine.dispose()
    return made


def test_workers_that_are_killed_lose_nothing_and_tell_nothing_twice(
    databases, valkey, tmp_path: Path
):
    with trial(tmp_path, valkey, databases) as running:
        counted = running.with_kills(STEPS, KILLS)

        left = running.left_in_outbox()

    assert (counted.lost, counted.twice, counted.out_of_order) == (0, 0, 0)
    assert counted.heard == STEPS
    assert left == 0
