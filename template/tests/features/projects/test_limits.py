"""How many projects a plan has room for, and what happens when nobody knows."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from app import billing
from app.errors import Unavailable
from tests.features.projects.deeds import begin, projects_of
from tests.world import sign_in

ROOM = 3


@pytest.fixture
def full(acme):
    """Acme, with as many projects as its plan has room for."""
    for number in range(ROOM):
        begin(acme, f"Project {number}")
    return acme


def test_a_full_plan_says_so_and_keeps_what_was_typed(full):
    answer = full.post("/projects/new", data={"name": "One more", "description": "Long text."})

    assert answer.status_code == 422
    assert "Your plan has room for 3 projects." in answer.text
    assert 'value="One more"' in answer.text
    assert "Long text." in answer.text
    assert len(projects_of(full)) == ROOM


def test_the_api_says_it_too(full):
    answer = full.post("/api/v1/projects/", json={"name": "One more"})

    assert answer.status_code == 402
    assert answer.mimetype == "application/problem+json"
    assert answer.json["title"] == "Your plan is full"


def test_an_archived_project_makes_room(full):
    path = f"/projects/{projects_of(full)[0].id}"
    full.post(f"{path}/archival")

    begin(full, "One more")

    assert full.post(f"{path}/restoration").status_code == 402  # And takes it up again.


def test_another_plan_has_more_room(pro):
    for number in range(ROOM + 1):
        begin(pro, f"Project {number}")

    assert len(projects_of(pro)) == ROOM + 1


def test_other_tenants_projects_take_no_room(full, initech):
    begin(initech, "Theirs")


def test_a_billing_outage_does_not_stop_people_from_working(full, monkeypatch):
    monkeypatch.setattr(billing, "limit", away)

    begin(full, "One more")


def test_people_who_begin_the_last_one_at_the_same_moment_do_not_both_get_it(app, acme):
    for number in range(ROOM - 1):
        begin(acme, f"Project {number}")
    browsers = [sign_in(app, acme) for _ in range(6)]

    with ThreadPoolExecutor(len(browsers)) as threads:
        answers = list(threads.map(begin_the_last, browsers))

    assert sorted(answers) == [201] + [402] * 5
    assert len(projects_of(acme)) == ROOM


def begin_the_last(browser) -> int:
    return browser.post("/api/v1/projects/", json={"name": "The last"}).status_code


def away(*_):
    raise Unavailable("Billing doesn't answer.")
