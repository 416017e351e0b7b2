"""10,000 tenants in waves, and a command that dies at any moment: each is visited exactly once."""

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text

from app.stages.services.rollout.driver import End
from app.stages.services.rollout.gates import Counts
from app.stages.services.rollout.store import Store
from app.stages.services.rollout.waves import assign
from tests.services.rollout.conftest import (
    Measured,
    begin_anew,
    driver_of,
    make_tenants,
    waves_of,
)

pytestmark = pytest.mark.postgres

TENANTS = 10_000
WAVES = waves_of(
    {"name": "internal", "tenants": ["t1", "t2"]},
    {"name": "canary", "share": 0.01},
    {"name": "tenth", "share": 0.1},
    {"name": "half", "share": 0.5},
    {"name": "rest", "rest": True},
)
TALLY = """
    SELECT count(*) AS tenants, min(visits) AS fewest, max(visits) AS most
    FROM rollout.tenants WHERE rollout = :id
"""


class Killed(BaseException):
    """The command is gone, with whatever it was about to do."""


class Dying(Store):
    """A store whose process dies before one of its statements, or before a commit."""

    def __init__(self, url: str, statements: int) -> None:
        super().__init__(url)
        self.left = statements
        event.listen(self.engine, "before_cursor_execute", self.count)
        event.listen(self.engine, "commit", self.count)

    def count(self, *_: object) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed


@pytest.fixture(scope="module")
def crowd(auth_url) -> str:
    make_tenants(auth_url, TENANTS)
    return auth_url


def go_on(store: Store, source: Measured) -> End:
    """What `flask rollout start` does, the first time and after it was killed."""
    with store.driving("test"):
        if store.underway() is None and store.serving()[0] == "old":
            assigned = assign(WAVES.wave, store.customers(), "new")
            store.begin("new", WAVES, assigned, "test", "")
        return driver_of(store, source).run()


@given(deaths=st.lists(st.integers(0, 120), max_size=6))
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_each_tenant_is_visited_exactly_once_however_often_it_dies(crowd, deaths):
    source = Measured()
    source.counts["new"] = {f"t{n}": Counts(100, 0) for n in range(1, TENANTS + 1)}
    with Store(crowd) as store:
        begin_anew(store)

    for statements in deaths:
        with Dying(crowd, statements) as dying:
            try:
                go_on(dying, source)
            except Killed:
                dying.connection.invalidate()  # As the kernel does with a dead process's sockets.
    with Store(crowd) as store:
        assert go_on(store, source) is End.DONE

        assert store.serving() == ("new", "old")
        rollout = store.latest()
        with store.transaction() as connection:
            tally = connection.execute(text(TALLY), {"id": rollout.id}).one()
            pins = connection.scalar(text("SELECT count(*) FROM rollout.pins"))
        assert tuple(tally) == (TENANTS, 1, 1)
        assert pins == 0
        waves = [step.what for step in store.steps(rollout) if step.what.startswith("wave ")]
        assert waves == [
            "wave internal: 2 tenants",
            "wave canary: 100 tenants",
            "wave tenth: 1,000 tenants",
            "wave half: 5,000 tenants",
            "wave rest: 3,898 tenants",
        ]


@given(deaths=st.lists(st.integers(0, 60), max_size=6), bad_wave=st.integers(0, 4))
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_bad_release_comes_back_however_often_it_dies(crowd, deaths, bad_wave):
    """No tenant of a later wave ever has it, and in the end nobody has."""
    with Store(crowd) as store:
        begin_anew(store)
        assigned = assign(WAVES.wave, store.customers(), "new")
    source = Measured()
    source.counts["new"] = {
        one.slug: Counts(100, 50 if number == bad_wave else 0)
        for number, wave in enumerate(assigned[: bad_wave + 1])
        for one in wave
    }
    if bad_wave:  # Before it's reached, nobody can have met the error.
        source = Later(source.counts["new"], crowd)

    end = None
    for statements in [*deaths, 10**6]:
        with Dying(crowd, statements) as dying:
            try:
                end = go_on_unless_over(dying, source)
            except Killed:
                dying.connection.invalidate()

    with Store(crowd) as store:
        assert end is End.STOPPED
        assert store.serving()[0] == "old"
        rollout = store.latest()
        assert (rollout.state, rollout.wave) == ("stopped", bad_wave)
        assert store.pins().tenants == {}
        with store.transaction() as connection:
            rows = connection.execute(
                text(
                    "SELECT wave, max(visits) FROM rollout.tenants WHERE rollout = :id GROUP BY 1"
                ),
                {"id": rollout.id},
            )
            assert dict(map(tuple, rows)) == {n: int(n <= bad_wave) for n in range(5)}


class Later(Measured):
    """Tenants are seen only once they have the release."""

    def __init__(self, counts, url) -> None:
        super().__init__()
        self.all, self.url = counts, url

    def tenants(self, release, since):
        with Store(self.url) as store:
            pinned = store.pins().tenants
        return {slug: counts for slug, counts in self.all.items() if slug in pinned}


def go_on_unless_over(store: Store, source: Measured) -> End:
    with store.driving("test"):
        if store.latest() is None:
            assigned = assign(WAVES.wave, store.customers(), "new")
            store.begin("new", WAVES, assigned, "test", "")
        return driver_of(store, source).run()


def test_a_rollout_over_ten_thousand_tenants_takes_seconds(crowd, capsys):
    source = Measured()
    source.counts["new"] = {f"t{n}": Counts(100, 0) for n in range(1, TENANTS + 1)}
    with Store(crowd) as store:
        begin_anew(store)
        begun = time.monotonic()
        assert go_on(store, source) is End.DONE
        took = time.monotonic() - begun

    with capsys.disabled():
        print(f"\n{TENANTS:,} tenants in {len(WAVES.wave)} waves: {took:.1f} s of work")  # noqa: T201
    assert took < 20
