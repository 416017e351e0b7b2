"""Silos that the catalog knows: with derived passwords, and on other servers than the usual."""

from uuid import uuid4

import psycopg
import pytest

from app.db import db
from app.stages.hardened.catalog import api, drivers
from app.stages.hardened.catalog.places import Target
from app.stages.hardened.silos import targets
from app.tenancy import Tenant
from tests.hardened.silos.fleet import ask, plain

pytestmark = [pytest.mark.postgres, pytest.mark.processes]


@pytest.fixture
def placed(fleet, memory_url):
    """Places a tenant at a target, as the catalog does; afterwards it's forgotten."""
    tenants = []

    def place(target, tenant_id=None):
        tenants.append(Tenant(tenant_id or uuid4(), "placed", "Placed"))
        with fleet.app.app_context():
            api.add_target(target)
            api.set_placement(tenants[-1], target.service, target.name, expected_epoch=0)
            db.session.commit()

    yield place
    with psycopg.connect(plain(memory_url)) as connection:
        connection.execute("TRUNCATE auth_placements, auth_targets, auth_catalog")


def test_the_passwords_that_a_target_names_open_its_silo(fleet, admin):
    tenant_id = uuid4()
    with fleet.app.app_context():
        target = targets.target_for(admin, "billing", tenant_id)
        fleet.silos.append(targets.make(admin, target, tenant_id))

        assert target == targets.target_for(admin, "billing", tenant_id)
        assert ask(drivers.engine_url(target), "SELECT count(*) FROM billing_subscriptions") == 0
        assert ask(drivers.owner_url(target), "SELECT current_user::text") == target.owner_role


def test_a_silo_on_another_server_is_migrated_too(fleet, admin, server, placed, next_release):
    """The catalog says of it that it's at localhost, so it isn't on the administrator's server."""
    tenant_id = uuid4()
    with fleet.app.app_context():
        target = targets.target_for(admin, "features", tenant_id)
        fleet.silos.append(targets.make(admin, target, tenant_id))
        elsewhere = Target(
            **{name: getattr(target, name) for name in Target.__slots__}
            | {"host": "localhost", "name": "elsewhere"}
        )
    placed(elsewhere, tenant_id)
    next_release()

    done = fleet.run("list")
    migrated = fleet.run("migrate")

    assert "elsewhere  up to date" not in done.output
    assert "elsewhere" in done.output
    assert migrated.exit_code == 0, migrated.output
    assert len(fleet.migrated()) == 1


def test_a_silo_whose_password_is_unknown_is_set_apart(fleet, placed, next_release, monkeypatch):
    fleet.make(1)
    placed(Target("far", "features", "silo", "db.far.test", 5432, "x", "x", "x_owner", "env:FAR"))
    next_release()
    monkeypatch.delenv("FAR_OWNER", raising=False)

    done = fleet.run("migrate", "--at-once", "1")

    assert done.exit_code == 1
    assert "- far: The password of “far” isn't here." in done.output
    assert "admin" not in done.output


def test_a_silo_on_the_usual_server_is_visited_once(fleet, admin, placed):
    tenant_id = uuid4()
    with fleet.app.app_context():
        target = targets.target_for(admin, "features", tenant_id)
        fleet.silos.append(targets.make(admin, target, tenant_id))
    placed(target, tenant_id)

    assert "1 of 1 silos are up to date" in fleet.run("migrate").output
