"""The catalog's own words: what it says of a tenant, and who may change that how."""

import pytest
from sqlalchemy import select

from app import events
from app.audit import AuditRow
from app.db import db
from app.errors import Refused
from app.events import OutboxRow
from app.stages.hardened.catalog import api
from app.stages.hardened.catalog.places import Target
from tests.world import Company


def silo(name: str = "silo-acme", service: str = "features", **facts: object) -> Target:
    given = {
        "name": name,
        "service": service,
        "kind": "silo",
        "host": "db.example",
        "port": 5432,
        "database": "silo_acme",
        "role": "silo_acme",
        "owner_role": "silo_acme_owner",
        "secret_ref": "env:ACME",
    }
    return Target(**given | facts)


@pytest.fixture
def here(app):
    with app.app_context():
        yield


@pytest.fixture
def tenant(acme: Company, here):
    return acme.tenant


def told() -> list[tuple[str, str]]:
    rows = select(OutboxRow).where(OutboxRow.name.like("auth.tenant%")).order_by(OutboxRow.id)
    return [(row.name, row.tenant_slug) for row in db.session.scalars(rows)]


def test_a_tenant_without_a_row_is_active_in_the_pool(tenant):
    entry = api.entry_of(tenant)

    assert (entry.state, entry.is_served, entry.version) == ("active", True, 0)
    assert api.place_of(tenant.id, "features").is_pool
    assert api.place_of(tenant.id, "features").epoch == 0


def test_a_change_of_state_is_audited_and_told_once(tenant):
    for _ in range(2):
        entry = api.set_state(tenant, "suspended", reason="Unpaid since May.")
        db.session.commit()

    assert (entry.state, entry.reason, entry.is_served) == ("suspended", "Unpaid since May.", False)
    assert told() == [("auth.tenant_suspended", "acme")]
    (deed,) = db.session.scalars(select(AuditRow).where(AuditRow.tenant_id == tenant.id))
    assert deed.action == "tenant_suspended"
    assert "Unpaid since May." in deed.details


def test_who_is_resumed_is_active_without_a_reason(tenant):
    api.set_state(tenant, "suspended", reason="Unpaid.")
    entry = api.set_state(tenant, "active")
    db.session.commit()

    assert (entry.state, entry.reason) == ("active", "")
    assert [name for name, _ in told()] == ["auth.tenant_suspended", "auth.tenant_resumed"]


def test_what_was_rolled_back_is_neither_known_nor_told(tenant):
    api.set_state(tenant, "suspended")
    db.session.rollback()

    assert api.entry_of(tenant).is_served
    assert told() == []


def test_the_catalog_keeps_three_facts_and_no_others(tenant):
    entry = api.set_facts(tenant, tier="gold", region="eu", release="2026.11")

    assert (entry.tier, entry.region, entry.release) == ("gold", "eu", "2026.11")
    with pytest.raises(Refused, match="The catalog keeps no colour"):
        api.set_facts(tenant, colour="blue")


def test_each_change_makes_the_version_grow(tenant):
    versions = [
        api.set_state(tenant, "suspended").version,
        api.set_facts(tenant, tier="gold").version,
        api.set_state(tenant, "active").version,
    ]

    assert versions == sorted(set(versions))


def test_states_and_services_that_nobody_knows_are_refused(tenant):
    with pytest.raises(Refused, match="'asleep' is no state of a workspace: provisioning, active"):
        api.set_state(tenant, "asleep")
    with pytest.raises(Refused, match="'auth' has no places"):
        api.place_of(tenant.id, "auth")


def test_a_placement_is_changed_by_whoever_knows_the_epoch(tenant):
    api.add_target(silo())
    placed = api.set_placement(tenant, "features", "silo-acme", expected_epoch=0)
    db.session.commit()

    assert (placed.name, placed.kind, placed.epoch) == ("silo-acme", "silo", 1)
    assert api.place_of(tenant.id, "billing").is_pool
    assert told() == [("auth.tenant_moved", "acme")]
    with pytest.raises(api.MovedMeanwhile, match="at “silo-acme” at epoch 1; you expected 0"):
        api.set_placement(tenant, "features", "pool", expected_epoch=0)


def test_a_move_that_was_killed_may_say_it_again(tenant):
    api.add_target(silo())
    for _ in range(2):
        placed = api.set_placement(tenant, "features", "silo-acme", expected_epoch=0)
        db.session.commit()

    assert placed.epoch == 1
    assert len(told()) == 1


def test_a_way_back_to_the_pool_is_a_later_epoch(tenant):
    api.add_target(silo())
    api.set_placement(tenant, "features", "silo-acme", expected_epoch=0)
    placed = api.set_placement(tenant, "features", "pool", expected_epoch=1)

    assert (placed.is_pool, placed.epoch) == (True, 2)
    with pytest.raises(Refused, match="An epoch only grows"):
        api.set_placement(tenant, "features", "silo-acme", expected_epoch=2, epoch=2)


def test_a_target_is_of_one_service_and_must_be_known(tenant):
    api.add_target(silo("silo-billing", "billing"))

    with pytest.raises(api.UnknownTarget, match="is a target of billing, not of features"):
        api.set_placement(tenant, "features", "silo-billing", expected_epoch=0)
    with pytest.raises(api.UnknownTarget, match="No target is called “nowhere”"):
        api.set_placement(tenant, "features", "nowhere", expected_epoch=0)


def test_a_target_says_all_that_it_takes_to_reach_it(here):
    with pytest.raises(Refused, match="doesn't say its host, secret_ref"):
        api.add_target(silo(host="", secret_ref=""))
    with pytest.raises(Refused, match="works as the owner of its tables"):
        api.add_target(silo(role="silo_acme_owner"))
    with pytest.raises(Refused, match="of the kind 'cave', which nothing here can reach"):
        api.add_target(silo(kind="cave"))


def test_a_target_is_added_once_and_removed_only_when_nobody_is_there(tenant):
    api.add_target(silo())
    api.add_target(silo())
    with pytest.raises(api.TargetInUse, match="known already, as something else"):
        api.add_target(silo(port=6000))
    api.set_placement(tenant, "features", "silo-acme", expected_epoch=0)
    with pytest.raises(api.TargetInUse, match="Rows of a workspace are at “silo-acme”"):
        api.remove_target("silo-acme")

    api.set_placement(tenant, "features", "pool", expected_epoch=1)
    api.remove_target("silo-acme")

    assert api.targets() == []


def test_who_is_placed_outside_is_found_by_service(tenant, initech: Company):
    api.add_target(silo())
    api.set_placement(tenant, "features", "silo-acme", expected_epoch=0)

    found = [(one.slug, at.name, at.epoch) for one, at in api.placed_outside("features")]

    assert found == [("acme", "silo-acme", 1)]
    assert list(api.placed_outside("billing")) == []


def test_events_of_a_tenant_reach_their_listeners(app, tenant, acme, monkeypatch):
    heard = []
    monkeypatch.setitem(events.LISTENERS, "auth.tenant_suspended", [heard.append])
    heard_by = lambda event: heard.append((event.tenant.slug, event.facts["reason"]))  # noqa: E731
    heard_by.__module__, heard_by.__qualname__ = __name__, "heard_by"
    monkeypatch.setitem(events.LISTENERS, "auth.tenant_suspended", [heard_by])
    api.set_state(tenant, "suspended", reason="Unpaid.")
    db.session.commit()

    acme.work()

    assert heard == [("acme", "Unpaid.")]
