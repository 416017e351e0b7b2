"""Deleting a tenant: nothing of it is left anywhere, and a certificate says so."""

import json
from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy import text

from app import audit, events, jobs
from app.auth.models import ApiToken, Invitation, User
from app.db import db, now
from app.stages.hardened.catalog import api as catalog
from app.stages.hardened.lifecycle.deletion import memory, scan, stores
from app.stages.services.events import streams
from app.tenancy import serving
from tests.hardened.lifecycle.conftest import killed_at
from tests.services.promote import team

pytestmark = pytest.mark.postgres
CANARIES = [f"canary-{number:02}-{uuid4().hex[:8]}" for number in range(20)]


def ok(result):
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result


def plant(world, seat) -> None:
    """Twenty strings, in every store that a tenant has something in."""
    tenant, user = seat.tenant, seat.user_id
    bird = iter(CANARIES)
    with world.connect("features") as connection:
        folder = {"tenant_id": tenant.id, "id": uuid4(), "name": next(bird)}
        connection.execute(team.FOLDERS.insert(), folder)
        note = team.note(tenant.id, 1, folder["id"])
        connection.execute(
            team.NOTES.insert(),
            note
            | {"text": next(bird), "facts": {"in": next(bird)}, "picture": next(bird).encode()},
        )
        connection.execute(team.CLICKS.insert(), {"tenant_id": tenant.id, "page": next(bird)})
        connection.execute(
            text("UPDATE projects SET name = :name WHERE tenant_id = :id"),
            {"name": next(bird), "id": tenant.id},
        )
    with world.connect("billing") as connection:
        connection.execute(
            text("UPDATE billing_customers SET provider_id = :bird WHERE tenant_id = :id"),
            {"bird": next(bird), "id": tenant.id},
        )
    with world.connect("analytics") as connection:
        connection.execute(
            text("UPDATE analytics_events SET facts = :bird WHERE tenant_id = :id"),
            {"bird": json.dumps({"in": next(bird)}), "id": tenant.id},
        )
    for service in ("features", "billing", "analytics"):
        shared_rows(world, service, tenant, next(bird), next(bird))
    with world.app.app_context(), serving(tenant):
        invitation = Invitation(
            tenant_id=tenant.id,
            email=f"{next(bird)}@x.test",
            email_norm=uuid4().hex,
            role="member",
            token_hash=uuid4().hex,
            expires_at=now() + timedelta(days=1),
        )
        token = ApiToken(
            tenant_id=tenant.id, user_id=user, name=next(bird), prefix="x", token_hash="y"
        )
        db.session.add_all([invitation, token])
        events.publish("something", bird=next(bird))
        db.session.commit()
    redis = memory.client_at(world.redis)
    redis.set(f"t:{tenant.id}:cache", next(bird))
    redis.hset("some", tenant.id.hex, next(bird))
    entry = {"tenant": tenant.id.bytes, "facts": next(bird)}
    redis.xadd(streams.stream_of(0), entry)
    assert next(bird, None) is None


def shared_rows(world, service, tenant, in_job, in_event):
    with world.connect(service) as connection:
        connection.execute(
            sa.insert(jobs.Job.__table__).values(
                id=uuid4(), tenant_id=tenant.id, name="x", args=json.dumps([in_job])
            )
        )
        event = uuid4()
        connection.execute(
            sa.insert(events.OutboxRow.__table__).values(
                id=event, tenant_id=tenant.id, name="x", facts=json.dumps({"in": in_event})
            )
        )
        connection.execute(
            sa.insert(events.InboxRow.__table__).values(event_id=event, listener="x")
        )


def found_anywhere(world, tenant_id, *needles: str):
    with world.app.app_context(), stores.opened(tenant_id) as databases:
        return scan.scan(databases, tuple(map(str.encode, needles)), lambda _: None)


def test_nothing_is_left_of_twenty_canaries_and_the_neighbour_is_whole(world):
    acme, initech = world.tenant("acme"), world.tenant("initech")
    plant(world, acme)
    assert len(found_anywhere(world, acme.tenant.id, *CANARIES).hits) >= 15
    theirs = world.everything(initech.tenant.id), world.rows("auth", initech.tenant.id)

    ok(world.flask("delete", "acme", "--yes"))

    assert found_anywhere(world, acme.tenant.id, *CANARIES).hits == []
    assert found_anywhere(world, acme.tenant.id, str(acme.tenant.id)).hits == []
    assert (world.everything(initech.tenant.id), world.rows("auth", initech.tenant.id)) == theirs


def test_the_certificate_is_kept_and_can_be_verified(world):
    acme = world.tenant("acme")
    ok(world.flask("delete", "acme", "--yes", "-o", "grace"))

    certificate = ok(world.flask("certificate", "acme")).output.strip()
    answer = ok(world.flask("certificate", "acme", "--verify"))
    said = json.loads(answer.output[: answer.output.rindex("}") + 1])

    assert said["tenant"]["id"] == str(acme.tenant.id)
    assert said["operator"] == "grace"
    assert said["before"]["features's pool"]["projects"] == 1
    assert not any(count for tables in said["after"].values() for count in tables.values())
    head, payload, signature = certificate.split(".")
    with world.app.app_context():
        from app.stages.hardened.lifecycle import signing
        from app.stages.hardened.lifecycle.deletion.operations import KIND

        changed = payload[:-4] + ("AAAA" if payload[-4:] != "AAAA" else "BBBB")
        with pytest.raises(signing.NotProved, match="The signature isn't right"):
            signing.read(KIND, f"{head}.{changed}.{signature}")


def test_the_trail_and_the_people_survive(world):
    acme = world.tenant("acme")
    with world.app.app_context(), serving(acme.tenant):
        audit.note("something.happened", acme.tenant.id)
        db.session.commit()

    ok(world.flask("delete", "acme", "--yes", "-o", "grace"))

    with world.app.app_context():
        rows = db.session.scalars(sa.select(audit.AuditRow).filter_by(tenant_id=acme.tenant.id))
        actions = [row.action for row in rows]
        assert "something.happened" in actions
        assert "tenant.deleted" in actions
        assert User.with_email("ada@acme.test") is not None


def test_the_same_slug_again_is_another_tenant(world):
    acme = world.tenant("acme")
    ok(world.flask("delete", "acme", "--yes"))

    ok(world.flask("create", "acme", "--owner", "new@acme.test"))

    again = world.organisation("acme")
    assert again
    assert again.id != acme.tenant.id
    client = world.app.test_client()
    with client.session_transaction() as session:
        session["_user_id"] = acme.session_id
    assert client.get("/t/acme/members").status_code == 404


def test_a_late_transaction_finds_the_door_shut(world):
    acme = world.tenant("acme")
    ok(world.flask("delete", "acme", "--yes"))

    with (
        world.connect("features") as connection,
        pytest.raises(sa.exc.DBAPIError, match="not served here"),
    ):
        connection.execute(text("CALL hardened.enter(:id, 0)"), {"id": acme.tenant.id})


def test_the_slug_must_be_typed_again(world):
    acme = world.tenant("acme")
    before = world.everything(acme.tenant.id)

    answer = world.app.test_cli_runner().invoke(args=["tenant", "delete", "acme"], input="acne\n")

    assert answer.exit_code == 1
    assert "Nothing was deleted" in answer.output
    assert world.everything(acme.tenant.id) == before


def test_a_last_archive_brings_it_back(world, tmp_path):
    acme = world.tenant("acme")
    before = world.everything(acme.tenant.id)
    ok(world.flask("delete", "acme", "--yes", "--export", str(tmp_path / "last.zip")))

    ok(world.flask("import", str(tmp_path / "last.zip")))

    assert world.everything(acme.tenant.id) == before
    with world.connect("features") as connection:
        connection.execute(text("CALL hardened.enter(:id, 0)"), {"id": acme.tenant.id})
    with world.app.app_context():
        assert catalog.entry_of(acme.tenant.id).state == "active"


@pytest.mark.processes
@pytest.mark.kills
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "step", ["close", "fence", "count", "rows", "redis", "silos", "auth", "scan", "certificate"]
)
def test_killed_anywhere_it_goes_on(world, step, when):
    acme = world.tenant("acme")
    killed_at(world, step, when, "delete", "acme", "--yes")

    ok(world.flask("delete", "acme", "--yes"))

    assert world.organisation("acme") is None
    assert found_anywhere(world, acme.tenant.id, str(acme.tenant.id)).hits == []
    assert ok(world.flask("certificate", "acme", "--verify"))


def test_a_database_that_is_away_stops_it_and_nothing_is_lost_of_others(world):
    acme, initech = world.tenant("acme"), world.tenant("initech")
    theirs = world.everything(initech.tenant.id)
    away = world.make(analytics_database_url="postgresql+psycopg://nobody@127.0.0.1:1/none")

    answer = world.flask("delete", "acme", "--yes", app=away)
    assert answer.exit_code == 1
    assert "analytics's pool doesn't answer" in answer.output
    assert "stopped" in ok(world.flask("operations")).output

    ok(world.flask("delete", "acme", "--yes", app=world.make()))
    assert found_anywhere(world, acme.tenant.id, str(acme.tenant.id)).hits == []
    assert world.everything(initech.tenant.id) == theirs
