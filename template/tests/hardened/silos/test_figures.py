"""What Prometheus hears of silos, and what load balancers don't."""

import pytest

from app.stages.hardened.silos import targets
from tests.hardened.silos.test_catalog import placed  # noqa: F401
from tests.hardened.silos.test_migrate import do, in_wave

pytestmark = [pytest.mark.postgres, pytest.mark.processes]


@pytest.fixture
def auth(make_app, memory_url):
    """The process of auth, which remembers the fleet; its neighbours and Redis are away."""
    away = {f"{name}_url": "http://127.0.0.1:9" for name in ("billing", "analytics", "features")}
    return make_app(serves="auth", database_url=memory_url, redis_url="redis://127.0.0.1:9", **away)


def figures(auth):
    text = auth.test_client().get("/metrics").text
    lines = [line.split() for line in text.splitlines() if line.startswith("silos")]
    return {name: float(value) for name, value in lines}


def test_silos_that_are_behind_are_counted_and_auth_is_ready(fleet, auth, next_release):
    fleet.make(3)
    assert fleet.run("status").exit_code == 0
    assert figures(auth)['silos_behind{of="features"}'] == 0

    next_release()

    assert figures(auth)['silos{of="features"}'] == 3
    assert figures(auth)['silos_behind{of="features"}'] == 3
    assert auth.test_client().get("/readyz").json["checks"]["migrations"] == "ok"


def test_silos_that_failed_are_counted(fleet, auth, next_release):
    fleet.make(3)
    next_release()
    do(in_wave(fleet, 0), "CREATE TABLE counted (in_the_way int)")

    assert fleet.run("migrate").exit_code == 1

    assert figures(auth)['silos_away{of="features"}'] == 1


def test_a_silo_that_nobody_has_looked_at_is_counted(fleet, auth, admin, placed):  # noqa: F811
    silo = fleet.make(1)[0]
    with fleet.app.app_context():
        target = targets.target_for(admin, "features", silo.tenant_id)
    placed(target, silo.tenant_id)

    assert figures(auth)['silos_unseen{of="features"}'] == 1
    assert fleet.run("status").exit_code == 0
    assert 'silos_unseen{of="features"}' not in figures(auth)
