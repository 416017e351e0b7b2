"""A change of roles counts in the other services within a second."""

import pytest

from tests.hardened.rbac.people import Somebody
from tests.services.identity.test_who import within

PROJECTS = "/api/v1/projects/"


def write(person):
    """What the service of the features says to somebody who would begin a project."""
    return person.at("features").post(PROJECTS, json={"name": "X"}).status_code


@pytest.fixture
def owner(ada):
    """Acme's owner, at auth."""
    return Somebody(ada.at("auth"))


@pytest.fixture
def somebody(max_):
    """Its member, at auth."""
    return Somebody(max_.at("auth"))


def test_who_gets_a_role_is_what_it_allows_within_a_second(owner, somebody, max_):
    assert write(max_) == 201

    owner.give(somebody, owner.role_called("Viewer"))

    assert within(1, lambda: write(max_) == 403)
    assert max_.status(PROJECTS) == 200
    owner.give(somebody)
    assert within(1, lambda: write(max_) == 201)


def test_a_changed_role_counts_within_a_second(owner, somebody, max_):
    role = owner.make("Reader", "projects:read")
    owner.give(somebody, role)
    assert within(1, lambda: write(max_) == 403)

    body = {"permissions": ["projects:read", "projects:write"]}
    assert owner.at.patch(f"/api/v1/members/roles/{role}", json=body).status_code == 200

    assert within(1, lambda: write(max_) == 201)


def test_a_deleted_role_counts_within_a_second(owner, somebody, max_):
    role = owner.make("Writer", "projects:read", "projects:write")
    owner.give(somebody, role)
    assert within(1, lambda: write(max_) == 201)

    to = owner.role_called("Viewer")
    assert owner.at.delete(f"/api/v1/members/roles/{role}?move_to={to}").status_code == 204

    assert within(1, lambda: write(max_) == 403)


def test_grants_travel_whole(owner, somebody, max_):
    owner.give(somebody, owner.make("Nothing"))

    assert within(1, lambda: max_.status(PROJECTS) == 403)
