"""Whatever clerks do in whatever order, nobody gets more than an owner gave."""

from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from app.auth.models import Invitation, Membership
from app.db import db
from app.stages.hardened.rbac.rules import TenantRoles
from tests.hardened.rbac.people import Somebody
from tests.world import found, sign_in

PERMISSIONS = ["projects:read", "projects:delete", "members:write", "roles:write", "audit:read"]
# All that the owner gives: a clerk may do anything about people and roles, and little else.
GIVEN = {"members:read", "members:write", "roles:read", "roles:write", "projects:read"}
WORLDS = count(1)
clerk = st.integers(1, 2)
person = st.integers(0, 3)  # The owner, two clerks, and somebody who may do nothing.
role = st.integers(0, 6)
some = st.lists(st.sampled_from(PERMISSIONS), max_size=4, unique=True)
choice = st.one_of(role, st.sampled_from(["owner", "member"]))
deeds = st.one_of(
    st.tuples(st.just("make"), clerk, some),
    st.tuples(st.just("change"), clerk, role, some),
    st.tuples(st.just("delete"), clerk, role, role),
    st.tuples(st.just("give"), clerk, person, st.lists(role, max_size=3)),
    st.tuples(st.just("promote"), clerk, person, st.sampled_from(["owner", "member"])),
    st.tuples(st.just("invite"), clerk, choice),
    st.tuples(st.just("remove"), clerk, person),
)


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(deeds, min_size=1, max_size=8))
def test_no_sequence_of_calls_gives_anybody_more_than_an_owner_gave(app, sequence):
    people = a_world(app)
    owner = people[0]
    everything = owner.may()

    for deed in sequence:
        perform(people, deed)

        assert owner.may() == everything
        for one in people[1:]:
            assert one.may() <= GIVEN
        assert owner.roles()["Boss"]["permissions"] == ["audit:read"]
        assert what_invitations_give(owner) <= GIVEN
        assert owners_of(owner) == [owner.id]


def a_world(app):
    """A workspace of its own for each sequence."""
    number = next(WORLDS)
    seat = found(app, f"acme-{number}", "Acme", f"ada@acme-{number}.test", "Ada")
    owner = Somebody(sign_in(app, seat))
    clerks = [owner.make("Clerk", *sorted(GIVEN)), owner.make("Nothing")]
    owner.make("Boss", "audit:read")
    people = [owner]
    for name, held in (("cleo", clerks[0]), ("carl", clerks[0]), ("noa", clerks[1])):
        joined = Somebody(sign_in(app, seat.join(f"{name}@acme-{number}.test", name)))
        owner.give(joined, held)
        people.append(joined)
    return people


def perform(people, deed):
    """Try something, by the API or as a page's form; much of it is refused."""
    what, who, *rest = deed
    me = people[who]
    ids = [role["id"] for role in people[0].roles().values() if role["id"]]
    if what == "make":
        answer = me.post_role(f"Role {len(ids)}", *rest[0])
    elif what == "change":
        body = {"permissions": rest[1]}
        answer = me.at.patch(f"/api/v1/members/roles/{pick(ids, rest[0])}", json=body)
    elif what == "delete":
        to = pick(ids, rest[1])
        answer = me.at.delete(f"/api/v1/members/roles/{pick(ids, rest[0])}?move_to={to}")
    elif what == "give":
        answer = me.put_roles(people[rest[0]], *(pick(ids, one) for one in rest[1]))
    elif what == "promote":
        answer = me.at.post(f"/members/{people[rest[0]].id}/role", data={"role": rest[1]})
    elif what == "remove":
        answer = me.at.post(f"/members/{people[rest[0]].id}/removal")
    else:
        body = {"email": "eve@elsewhere.test"}
        body["role"] = rest[0] if isinstance(rest[0], str) else pick(ids, rest[0])
        answer = me.at.post("/api/v1/members/invitations", json=body)
    assert answer.status_code < 500


def pick(ids, place):
    return ids[place % len(ids)]


def what_invitations_give(owner):
    with owner.at.serving():
        mine = select(Invitation).where(Invitation.tenant_id == owner.at.tenant.id)
        standings = [TenantRoles().standing_of(one) for one in db.session.scalars(mine)]
        return frozenset().union(*standings)


def owners_of(owner):
    with owner.at.serving():
        mine = select(Membership.user_id).where(
            Membership.tenant_id == owner.at.tenant.id, Membership.role == "owner"
        )
        return list(db.session.scalars(mine))
