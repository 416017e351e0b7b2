"""Projects' JSON API."""

from uuid import uuid4

import pytest

from tests.features.projects.deeds import begin, projects_of

API = "/api/v1/projects/"


def add(company, name="Apollo", **more):
    answer = company.post(API, json={"name": name, **more})
    assert answer.status_code == 201, answer.text
    return answer


def test_a_project_is_begun_shown_and_listed(acme):
    begun = add(acme, description="To the moon.")

    shown = acme.get(begun.location.removeprefix("/t/acme"))
    assert shown.json == begun.json
    assert shown.json["description"] == "To the moon."
    assert shown.json["created_by"] == str(acme.user_id)
    assert acme.get(API).json == {"items": [shown.json], "next": None}


def test_the_list_goes_on_behind_a_mark(pro):
    names = [f"Project {number}" for number in range(5)]
    for name in names:
        begin(pro, name)

    pages = [pro.get(f"{API}?limit=2").json]
    while mark := pages[-1]["next"]:
        pages.append(pro.get(f"{API}?limit=2&after={mark}").json)

    assert [len(page["items"]) for page in pages] == [2, 2, 1]
    assert [item["name"] for page in pages for item in page["items"]] == names[::-1]


def test_the_list_can_be_searched_and_shows_the_archive_on_request(acme):
    add(acme)
    gemini = f"{API}{add(acme, 'Gemini').json['id']}"
    acme.put(f"{gemini}/archival")

    assert [item["name"] for item in acme.get(API).json["items"]] == ["Apollo"]
    assert [item["name"] for item in acme.get(f"{API}?archived=true").json["items"]] == ["Gemini"]
    assert acme.get(f"{API}?q=GEM").json["items"] == []


def test_a_request_that_is_sent_twice_begins_one_project(acme):
    again = {"Idempotency-Key": "one"}
    first = acme.post(API, json={"name": "Apollo"}, headers=again)
    second = acme.post(API, json={"name": "Apollo"}, headers=again)

    assert second.json == first.json
    assert second.headers["Idempotency-Replayed"] == "true"
    assert len(projects_of(acme)) == 1


def test_a_key_that_is_too_long_is_refused_not_cut(acme):
    answer = acme.post(API, json={"name": "Apollo"}, headers={"Idempotency-Key": "k" * 201})

    assert answer.status_code == 400
    assert "200 characters" in answer.json["detail"]
    assert projects_of(acme) == []


def test_what_is_left_out_of_a_change_stays(acme):
    project = add(acme, description="To the moon.").json

    changed = acme.patch(f"{API}{project['id']}", json={"name": "Gemini"})

    assert (changed.json["name"], changed.json["description"]) == ("Gemini", "To the moon.")


def test_a_change_can_be_made_only_if_nobody_else_did(acme):
    path = f"{API}{add(acme).json['id']}"
    tag = {"If-Match": acme.get(path).headers["ETag"]}

    assert acme.patch(path, json={"name": "Gemini"}, headers=tag).status_code == 200
    late = acme.patch(path, json={"name": "Mercury"}, headers=tag)
    assert late.status_code == 412
    assert late.mimetype == "application/problem+json"
    assert acme.delete(path, headers=tag).status_code == 412
    assert acme.get(path).json["name"] == "Gemini"


def test_a_project_is_archived_and_brought_back(acme):
    path = f"{API}{add(acme).json['id']}/archival"

    assert acme.put(path).json["archived_at"]
    assert acme.delete(path).json["archived_at"] is None


def test_a_project_is_deleted(acme):
    path = f"{API}{add(acme).json['id']}"

    assert acme.delete(path).status_code == 204
    assert acme.get(path).status_code == 404


def test_members_may_not_delete(acme, member):
    path = f"{API}{add(acme).json['id']}"

    assert member.delete(path).status_code == 403
    assert member.get(path).status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "nul\0"}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"name": 7}, "name"),
        ({"name": "x", "description": "x" * 5_001}, "description"),
        ({"name": "x", "description": None}, "description"),
        ([], ""),
    ],
)
def test_what_is_wrong_with_a_body_is_said_by_field(acme, body, field):
    answer = acme.post(API, json=body)

    assert answer.status_code == 422
    assert answer.mimetype == "application/problem+json"
    assert [problem["field"] for problem in answer.json["errors"]] == [field]
    assert projects_of(acme) == []


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ("null", "application/json", 422),
        ("{", "application/json", 400),
        ("", "application/json", 400),
        ('{"name": "Apollo"}', "text/plain", 415),
        ("name=Apollo", "application/x-www-form-urlencoded", 415),
    ],
)
def test_a_body_that_is_not_json_is_never_taken_for_an_empty_one(acme, body, kind, status):
    project = f"{API}{add(acme).json['id']}"

    for answer in (
        acme.post(API, data=body, content_type=kind),
        acme.patch(project, data=body, content_type=kind),
    ):
        assert answer.status_code == status
        assert answer.mimetype == "application/problem+json"


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "after=7", "archived=perhaps"])
def test_a_list_that_makes_no_sense_is_a_problem(acme, query):
    assert acme.get(f"{API}?{query}").status_code == 422


def test_a_report_is_asked_for_and_followed(pro):
    asked = pro.post(f"{API}reports/")
    assert asked.status_code == 202
    assert asked.json["built_at"] is None

    pro.work()

    assert pro.get(f"{API}reports/{asked.json['id']}").json["built_at"]


def test_another_tenant_cannot_see_it(acme, initech):
    path = f"{API}{add(acme).json['id']}"

    assert initech.get(path).status_code == 404
    assert initech.patch(path, json={"name": "Ours now"}).status_code == 404
    assert initech.delete(path).status_code == 404
    assert initech.put(f"{path}/archival").status_code == 404
    assert initech.get(API).json["items"] == []
    assert [project.name for project in projects_of(acme)] == ["Apollo"]


def test_what_does_not_exist_is_a_problem(acme):
    answer = acme.get(f"{API}{uuid4()}")

    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
