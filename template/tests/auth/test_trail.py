"""The audit trail as owners read it."""

import pytest

from app import audit
from app.db import db


def test_owners_read_who_did_what_to_whom(acme, member):
    acme.post(f"/members/{member.user_id}/role", data={"role": "owner"})
    acme.post("/members/invitations", data={"email": "eve@acme.test", "role": "member"})

    page = acme.get("/settings/audit").text

    assert "member role changed" in page
    assert "Max" in page
    assert "email: eve@acme.test" in page


def test_members_do_not_read_it(member):
    assert member.get("/settings/audit").status_code == 403


def test_a_workspace_sees_its_own_deeds_only(acme, initech):
    initech.post("/settings/tokens", data={"name": "secret plans"})

    assert "secret plans" not in acme.get("/settings/audit").text


def test_a_new_workspace_has_an_empty_trail(acme):
    assert "Nothing here" in acme.get("/settings/audit").text


def test_a_long_trail_is_read_a_page_at_a_time(acme):
    with acme.serving():
        for number in range(120):
            audit.note("thing.done", f"number-{number:03}")
        db.session.commit()

    seen, path = [], "/settings/audit"
    while path:
        page = acme.get(path).text
        seen.append([n for n in range(120) if f"number-{n:03}" in page])
        path = next_page(page)

    assert [len(numbers) for numbers in seen] == [50, 50, 20]
    assert sorted(n for numbers in seen for n in numbers) == list(range(120))
    assert 119 in seen[0]


def next_page(page):
    _, found, rest = page.partition('href="/t/acme/settings/audit?before=')
    return f"/settings/audit?before={rest.partition(chr(34))[0]}" if found else ""


@pytest.mark.parametrize("mark", ["x", "", "0", "\x00"])
def test_a_mark_that_is_none_is_the_first_page(acme, mark):
    assert acme.get("/settings/audit", query_string={"before": mark}).status_code == 200


def test_names_are_shown_as_text(acme):
    acme.post("/settings/tokens", data={"name": "<script>alert(1)</script>"})

    assert "<script>alert" not in acme.get("/settings/audit").text
    assert "<script>alert" not in acme.get("/settings/tokens").text
