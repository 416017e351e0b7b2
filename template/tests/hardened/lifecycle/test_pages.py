"""The operators' pages and API: for operators only, and what they begin is done by a worker."""

import pytest
import sqlalchemy as sa

from app import audit
from app.auth.models import Organisation
from app.db import db
from app.jobs import Job
from app.stages.hardened.catalog import api as catalog
from app.stages.hardened.lifecycle import operators
from app.stages.hardened.lifecycle.archive import operations as archives
from app.stages.hardened.lifecycle.models import Operation
from tests.world import Company, sign_in

PATHS = ("/workspaces/operators/", "/workspaces/operators/acme", "/api/v1/me/operator/tenants")


@pytest.fixture
def operator(make_app, acme: Company, initech: Company):
    """Ada is an operator of this installation; Bill isn't."""
    app = make_app(operators="ada@acme.test")
    return sign_in(app, acme)


def as_bill(operator, initech: Company):
    return sign_in(operator.app, initech).client


@pytest.mark.parametrize("path", PATHS)
def test_whoever_is_not_an_operator_is_refused(operator, initech: Company, path):
    assert as_bill(operator, initech).get(path).status_code == 403
    assert operator.app.test_client().get(path).status_code in {302, 401}
    assert operator.client.get(path).status_code == 200


def test_nothing_is_begun_by_others(operator, initech: Company):
    answer = as_bill(operator, initech).post(
        "/workspaces/operators/acme/operations", data={"kind": "suspend"}
    )

    assert answer.status_code == 403
    with operator.app.app_context():
        assert db.session.scalar(sa.select(sa.func.count()).select_from(Operation)) == 0


def test_the_list_is_filtered_by_letters_and_state(operator):
    client = operator.client

    assert "Initech" in client.get("/workspaces/operators/?like=tech").text
    assert "<td>acme</td>" not in client.get("/workspaces/operators/?like=tech").text
    assert "Initech" not in client.get("/workspaces/operators/?state=suspended").text


def test_a_suspension_is_done_by_the_worker_in_the_operators_name(operator, initech: Company):
    answer = operator.client.post(
        "/workspaces/operators/initech/operations", data={"kind": "suspend"}
    )
    assert answer.status_code == 302
    operator.work()

    with operator.app.app_context():
        assert catalog.entry_of(initech.tenant.id).state == "suspended"
        rows = db.session.scalars(sa.select(audit.AuditRow).filter_by(tenant_id=initech.tenant.id))
        assert any("ada@acme.test" in row.details for row in rows)
    assert "done" in operator.client.get(answer.location).text


def test_it_is_said_when_it_is_so_already(operator, initech: Company):
    operator.client.post("/workspaces/operators/initech/operations", data={"kind": "suspend"})
    operator.work()

    answer = operator.client.post(
        "/workspaces/operators/initech/operations", data={"kind": "suspend"}
    )

    assert answer.status_code == 409
    assert "suspended already" in answer.text


def test_a_deletion_needs_the_address_typed_again(operator):
    answer = operator.client.post(
        "/workspaces/operators/initech/operations", data={"kind": "delete", "confirm": "acme"}
    )

    assert answer.status_code == 422
    assert "type its address" in answer.text


def test_the_api_takes_an_operators_token(operator, initech: Company):
    with operator.app.app_context():
        token = operators.token("ada@acme.test", 60)
    client = operator.app.test_client()
    headers = {"Authorization": f"Bearer {token}"}

    begun = client.post(
        "/api/v1/me/operator/tenants/initech/operations", json={"kind": "suspend"}, headers=headers
    )
    operator.work()
    shown = client.get(f"/api/v1/me/operator/operations/{begun.json['id']}", headers=headers)

    assert begun.status_code == 202
    assert (shown.json["state"], shown.json["steps_done"]) == ("done", ["suspend"])
    assert client.get("/api/v1/me/operator/tenants", headers=headers).json["items"][1]["state"] == (
        "suspended"
    )


def test_a_mistyped_address_is_answered_with_what_was_meant(operator):
    answer = operator.client.get("/api/v1/me/operator/tenants/initek")

    assert answer.status_code == 404
    assert answer.json["detail"].startswith("No workspace is called")


def test_what_is_being_moved_is_left_alone(operator, initech: Company):
    with operator.app.app_context():
        catalog.set_state(initech.tenant, "moving", reason="a test")
        db.session.commit()

    answer = operator.client.post(
        "/workspaces/operators/initech/operations", data={"kind": "export"}
    )

    assert answer.status_code == 409
    assert "is being moved" in answer.text


def test_two_operators_cannot_do_two_things_at_once(operator, initech: Company):
    client = operator.client
    client.post("/workspaces/operators/initech/operations", data={"kind": "suspend"})

    answer = client.post("/workspaces/operators/initech/operations", data={"kind": "export"})

    assert answer.status_code == 409
    assert "isn&#39;t at its end" in answer.text


# --- Making one --------------------------------------------------------------------------------

NEW = {"slug": "hooli", "owner": "ada@acme.test", "place": "pool"}
TENANTS = "/api/v1/me/operator/tenants"


def slugs(operator) -> list[str]:
    with operator.app.app_context():
        return list(db.session.scalars(sa.select(Organisation.slug).order_by("slug")))


def test_a_workspace_is_made_from_the_page_by_the_worker(operator):
    answer = operator.client.post("/workspaces/operators/", data=NEW)
    operator.work()

    assert answer.status_code == 302
    assert "done" in operator.client.get(answer.location).text
    assert slugs(operator) == ["acme", "hooli", "initech"]
    with operator.app.app_context():
        row = db.session.scalars(sa.select(audit.AuditRow).filter_by(action="workspace.created"))
        assert any("ada@acme.test" in one.details for one in row)


def test_the_same_asked_again_by_the_api_is_the_same_one(operator):
    first = operator.client.post(TENANTS, json=NEW)
    again = operator.client.post(TENANTS, json=NEW)
    operator.work()
    after = operator.client.post(TENANTS, json=NEW)

    assert first.status_code == again.status_code == after.status_code == 202
    assert first.json["id"] == again.json["id"] == after.json["id"]
    assert after.json["state"] == "done"
    assert slugs(operator) == ["acme", "hooli", "initech"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"slug": "acme"}, "“acme” is taken"),
        ({"slug": "No Slug"}, "Use letters a to z"),
        ({"owner": "nobody"}, "is no e-mail address"),
        ({"place": "silo"}, "With SERVES=all"),
        ({"place": "moon"}, "moon"),
    ],
)
def test_what_cannot_be_made_is_said_beside_what_was_typed(operator, wrong, says):
    page = operator.client.post("/workspaces/operators/", data=NEW | {"name": "Hooli 7"} | wrong)
    told = operator.client.post(TENANTS, json=NEW | wrong)

    assert page.status_code >= 400
    assert says in page.text.replace("&#39;", "'")
    assert 'value="Hooli 7"' in page.text
    assert 400 <= told.status_code < 500
    assert slugs(operator) == ["acme", "initech"]


def test_a_page_of_another_site_makes_none(operator):
    operator.app.config["WTF_CSRF_ENABLED"] = True

    for path in ("/workspaces/operators/", "/workspaces/operators/archives"):
        assert operator.client.post(path, data=NEW).status_code == 400
    assert operator.client.post(TENANTS, json=NEW).status_code == 400
    assert slugs(operator) == ["acme", "initech"]


def test_what_is_refused_at_work_is_said_and_not_tried_again_by_itself(operator):
    with operator.app.app_context():
        folder = archives.folder()
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / "junk.zip"
    archive.write_bytes(b"no archive at all")
    wish = {"kind": "restore", "archive": archive.name, "confirm": "initech"}
    try:
        answer = operator.client.post("/workspaces/operators/initech/operations", data=wish)
        operator.work()
    finally:
        archive.unlink()

    page = operator.client.get(answer.location).text
    assert "stopped" in page
    assert "junk.zip" in page
    with operator.app.app_context():
        (job,) = db.session.scalars(sa.select(Job).where(Job.name.like("%run_operation")))
        assert (job.state, job.attempts) == ("done", 1)
