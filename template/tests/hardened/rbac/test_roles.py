"""Roles of a tenant's own: what they allow, and that they're made, changed and deleted safely."""

import pytest
from sqlalchemy import select

from app import audit
from app.db import db
from app.events import OutboxRow
from app.stages.hardened.rbac.models import RolePermission

PROJECTS = "/api/v1/projects/"


def test_a_member_with_roles_may_do_what_they_allow_together_and_no_more(ada, join):
    max_ = join("Max")
    members = max_.may()
    reading = ada.make("Reader", "projects:read")
    books = ada.make("Bookkeeper", "billing:read", "billing:invoices")

    ada.give(max_, reading, books)

    assert max_.may() == {"projects:read", "billing:read", "billing:invoices"}
    assert "projects:write" in members
    assert max_.at.get(PROJECTS).status_code == 200
    assert max_.at.post(PROJECTS, json={"name": "X"}).status_code == 403


def test_without_roles_they_are_members_again(ada, join):
    max_ = join("Max")
    before = max_.may()
    ada.give(max_, ada.make("Nothing"))
    assert max_.may() == set()

    ada.give(max_)

    assert max_.may() == before


def test_a_viewer_sees_and_an_admin_does_all_but_own(app, acme, ada, join):
    viewer, admin = join("Vic", "Viewer"), join("Ann", "Admin")

    assert all(name.endswith(":read") for name in viewer.may())
    assert "audit:read" not in viewer.may()
    assert admin.may() == ada.may()
    assert viewer.at.get(PROJECTS).status_code == 200
    assert viewer.at.post(PROJECTS, json={"name": "X"}).status_code == 403
    assert admin.at.post(f"/members/{viewer.id}/role", data={"role": "owner"}).status_code == 403
    assert admin.at.post(f"/members/{ada.id}/removal").status_code == 403


def test_a_permission_that_nobody_declares_is_refused_with_those_like_it(ada):
    answer = ada.post_role("Odd", "projects:redd")

    assert answer.status_code == 422
    assert "No permission is called “projects:redd”" in answer.json["detail"]
    assert "projects:read" in answer.json["detail"]
    assert "Odd" not in ada.roles()


def test_a_permission_that_vanished_allows_nothing_and_is_shown_as_gone(ada, join):
    max_ = join("Max", permissions=["projects:read"])
    with ada.at.serving():
        row = db.session.scalars(select(RolePermission)).one()
        key = {"tenant_id": row.tenant_id, "role_id": row.role_id}
        db.session.add(RolePermission(**key, permission="archive:read"))
        db.session.commit()

    assert max_.may() == {"projects:read"}
    role = ada.roles()["Role of Max"]
    assert role["vanished"] == ["archive:read"]
    assert role["permissions"] == ["projects:read"]
    assert "archive:read: the product doesn" in ada.at.get("/members/roles").text


@pytest.mark.parametrize("name", ["reader", " READER ", "Owner", "admin", "\uff32eader"])
def test_a_name_is_taken_once(ada, name):
    ada.make("Reader", "projects:read")

    assert ada.post_role(name).status_code == 409


def test_two_workspaces_may_use_one_name(ada, initech):
    ada.make("Reader", "projects:read")

    body = {"name": "Reader", "permissions": []}
    assert initech.post("/api/v1/members/roles", json=body).status_code == 201


def test_a_changed_role_counts_for_whoever_has_it(ada, join):
    max_ = join("Max", permissions=["projects:read"])
    role = ada.role_called("Role of Max")

    answer = ada.at.patch(f"/api/v1/members/roles/{role}", json={"permissions": ["billing:read"]})

    assert answer.status_code == 200
    assert max_.may() == {"billing:read"}


def test_a_change_that_stands_on_an_older_version_is_refused(ada):
    role = ada.make("Reader", "projects:read")
    etag = ada.at.get(f"/api/v1/members/roles/{role}").headers["ETag"]
    ada.at.patch(
        f"/api/v1/members/roles/{role}", json={"permissions": []}, headers={"If-Match": etag}
    )

    answer = ada.at.patch(
        f"/api/v1/members/roles/{role}", json={"name": "Late"}, headers={"If-Match": etag}
    )

    assert answer.status_code == 412


def test_a_role_that_people_have_goes_only_if_they_get_another(ada, join):
    max_ = join("Max", permissions=["projects:read"])
    role, other = ada.role_called("Role of Max"), ada.make("Other", "billing:read")

    refused = ada.at.delete(f"/api/v1/members/roles/{role}")
    itself = ada.at.delete(f"/api/v1/members/roles/{role}?move_to={role}")

    assert (refused.status_code, itself.status_code) == (409, 409)
    assert "1 people have “Role of Max”" in refused.json["detail"]
    assert max_.may() == {"projects:read"}
    assert ada.at.delete(f"/api/v1/members/roles/{role}?move_to={other}").status_code == 204
    assert max_.may() == {"billing:read"}


def test_a_role_that_nobody_has_goes(ada):
    role = ada.make("Reader", "projects:read")

    assert ada.at.delete(f"/api/v1/members/roles/{role}").status_code == 204
    assert ada.at.get(f"/api/v1/members/roles/{role}").status_code == 404


@pytest.mark.parametrize("name", ["Admin", "Viewer"])
def test_built_in_roles_stay(ada, join, name):
    join("Max", name)
    role = ada.role_called(name)

    for answer in (
        ada.at.patch(f"/api/v1/members/roles/{role}", json={"permissions": []}),
        ada.at.delete(f"/api/v1/members/roles/{role}"),
        ada.at.get(f"/members/roles/{role}"),
    ):
        assert answer.status_code == 409


def test_an_owner_gets_no_roles_and_whoever_becomes_one_loses_theirs(ada, join):
    max_ = join("Max", permissions=[])
    ada.at.post(f"/members/{max_.id}/role", data={"role": "owner"})

    assert max_.may() == ada.may()
    assert ada.put_roles(max_, ada.role_called("Viewer")).status_code == 409
    ada.at.post(f"/members/{max_.id}/role", data={"role": "member"})
    assert "projects:write" in max_.may()


def test_who_is_removed_takes_no_role_along(ada, join):
    max_ = join("Max", "Viewer")

    assert ada.at.post(f"/members/{max_.id}/removal").status_code == 302

    assert ada.roles()["Viewer"]["people"] == 0


def test_every_change_is_written_down_and_told(ada, join):
    join("Max", permissions=["projects:read"])
    role = ada.role_called("Role of Max")
    ada.at.patch(f"/api/v1/members/roles/{role}", json={"permissions": []})
    ada.at.delete(f"/api/v1/members/roles/{role}?move_to={ada.role_called('Viewer')}")

    with ada.at.serving():
        deeds = [row.action for row in audit.recent()]
        told = list(db.session.scalars(select(OutboxRow.name).order_by(OutboxRow.id)))
    assert deeds == ["role.deleted", "role.changed", "member.roles_changed", "role.created"]
    assert told == [
        "auth.role_created",
        "auth.role_changed",
        "auth.role_redefined",
        "auth.role_deleted",
    ]
