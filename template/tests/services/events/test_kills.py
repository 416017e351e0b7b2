"""Workers that are killed while events flow: each event is heard once, and in its turn."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import database_of_its_own
from tests.services.events.trial import trial

STEPS = 5_000
KILLS = 3

pytestmark = [pytest.mark.processes, pytest.mark.postgres, pytest.mark.kills]


@pytest.fixture
def databases(postgres_server: str) -> Iterator[dict[str, str]]:
    """An empty database for each of two services."""
    with (
        database_of_its_own(postgres_server, "features") as features,
        database_of_its_own(postgres_server, "billing") as billing,
    ):
        yield {"features": features, "billing": billing}


def test_workers_that_are_killed_lose_nothing_and_tell_nothing_twice(
    databases, valkey, tmp_path: Path
):
    with trial(tmp_path, valkey, databases) as running:
        counted = running.with_kills(STEPS, KILLS)

        left = running.left_in_outbox()

    assert (counted.lost, counted.twice, counted.out_of_order) == (0, 0, 0)
    assert counted.heard == STEPS
    assert left == 0
