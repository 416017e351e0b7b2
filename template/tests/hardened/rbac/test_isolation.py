"""Another tenant's roles are nowhere to be found, and nobody writes what wasn't asked for."""

import pytest

from app.db import METADATA
from tests.hardened.rbac.people import Somebody
from tests.isolation.rows import content_of

COLUMNS = sorted(
    {column.name for table in METADATA["auth"].sorted_tables for column in table.columns}
)


@pytest.fixture
def bill(initech):
    return Somebody(initech)


def test_another_tenants_role_cannot_be_seen_changed_or_deleted(ada, bill):
    theirs = bill.make("Reader", "projects:read")
    before = content_of(bill.at)

    answers = [
        ada.at.get(f"/api/v1/members/roles/{theirs}"),
        ada.at.patch(f"/api/v1/members/roles/{theirs}", json={"name": "Ours"}),
        ada.at.delete(f"/api/v1/members/roles/{theirs}"),
        ada.at.get(f"/members/roles/{theirs}"),
        ada.at.post(f"/members/roles/{theirs}", data={"name": "Ours", "version": "1"}),
        ada.at.post(f"/members/roles/{theirs}/deletion"),
    ]

    assert [answer.status_code for answer in answers] == [404] * len(answers)
    assert content_of(bill.at) == before


@pytest.mark.parametrize("name", ["Reader", "Admin", "Viewer"])
def test_another_tenants_role_cannot_be_given_nor_be_moved_to(ada, bill, join, name):
    bill.make("Reader", "projects:read")
    theirs = bill.role_called(name)
    max_ = join("Max", permissions=["projects:read"])
    ours = ada.role_called("Role of Max")
    body = {"email": "eve@elsewhere.test", "role": theirs}
    before = content_of(bill.at), max_.may()

    assert ada.put_roles(max_, theirs).status_code == 404
    assert ada.at.delete(f"/api/v1/members/roles/{ours}?move_to={theirs}").status_code == 404
    assert ada.at.post("/api/v1/members/invitations", json=body).status_code == 404
    form = ada.at.post(f"/members/{max_.id}/roles", data={"roles": theirs})
    assert form.status_code == 422
    assert (content_of(bill.at), max_.may()) == before


def test_another_tenants_member_is_unknown(ada, bill, join):
    max_ = join("Max")

    for answer in (
        bill.put_roles(max_),
        bill.at.get(f"/api/v1/members/{max_.id}/roles"),
        bill.at.get(f"/api/v1/members/{max_.id}/access"),
        bill.at.get(f"/members/{max_.id}/access"),
        bill.at.post(f"/members/{max_.id}/roles"),
    ):
        assert answer.status_code == 404


@pytest.mark.parametrize("column", COLUMNS)
def test_a_body_with_a_column_that_is_not_asked_for_writes_it_nowhere(ada, bill, join, column):
    """Refused, or passed over: the other tenant and everybody's role stay as they were."""
    max_ = join("Max", "Viewer")
    role, theirs = ada.make("Reader", "projects:read"), bill.make("Boss")
    before = content_of(bill.at), max_.may()
    smuggled = {column: smuggle(column, bill, theirs)}

    for method, path, body in (
        ("POST", "/api/v1/members/roles", {"name": "New"}),
        ("PATCH", f"/api/v1/members/roles/{role}", {"permissions": ["projects:read"]}),
        ("PUT", f"/api/v1/members/{max_.id}/roles", {"roles": [ada.role_called("Viewer")]}),
        ("POST", "/api/v1/members/invitations", {"email": "eve@elsewhere.test"}),
    ):
        allowed = column in {"name", "email", "role"}
        answer = ada.at.open(path, method=method, json=smuggled | body)
        assert answer.status_code == 422 or allowed, path
    for path, form in (
        ("/members/roles/new", {"name": "Form"}),
        (f"/members/roles/{role}", {"name": "Form 2", "version": "1"}),
        (f"/members/{max_.id}/roles", {"roles": ada.role_called("Viewer")}),
        ("/members/invitations", {"email": "fay@elsewhere.test", "role": "member"}),
        (f"/members/{max_.id}/role", {"role": "member"}),
        ("/settings", {"name": "Acme", "slug": "acme"}),
    ):
        ada.at.post(path, data=smuggled | form)

    assert (content_of(bill.at), max_.may()) == before
    rows = repr(content_of(ada.at))
    assert str(bill.at.tenant.id) not in rows
    assert theirs not in rows


def smuggle(column, bill, theirs):
    if column in {"name", "role", "email"}:
        return "owner"  # These are asked for, so what is sent may come to stand there.
    return theirs if column == "role_id" else str(bill.at.tenant.id)
