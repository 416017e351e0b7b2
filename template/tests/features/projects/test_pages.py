"""Projects' pages: what people see, and what is kept of what they type."""

from io import BytesIO

import pytest
from sqlalchemy import select

from app.audit import recent
from app.db import db
from app.events import OutboxRow
from app.features.projects.models import Project
from tests.features.projects.deeds import begin, projects_of

DEEDS = ("created", "updated", "archived", "restored", "deleted")


def test_a_new_workspace_is_told_how_to_begin(acme):
    page = acme.get("/projects/").text

    assert "No projects yet" in page
    assert "/projects/new" in page


def test_a_project_is_begun_and_shown_with_who_began_it(acme):
    path = begin(acme, "  Apollo ", "To the moon.\r\nAnd back.")

    page = acme.get(path).text
    assert "“Apollo” is there." in page
    assert "To the moon.\nAnd back." in page
    assert "Begun by Ada" in page
    assert "Apollo" in acme.get("/projects/").text


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "A project needs a name."),
        ("  ", "A project needs a name."),
        ("x" * 101, "Field cannot be longer than 100 characters."),
        ("two\nlines", "This must be on one line."),
        ("nul\0", "characters in it that can&#39;t be shown"),
        ("\u200b\u2060", "A project needs a name."),
        ("exe.\u202egpj", "characters in it that can&#39;t be shown"),
    ],
)
def test_a_name_that_will_not_do_comes_back_with_what_else_was_typed(acme, name, problem):
    answer = acme.post("/projects/new", data={"name": name, "description": "A long text."})

    assert answer.status_code == 422
    assert problem in answer.text
    assert "A long text." in answer.text
    assert projects_of(acme) == []


def test_a_file_in_place_of_a_name_is_no_name(acme):
    name = (BytesIO(b"Apollo"), "name.txt")
    answer = acme.post("/projects/new", data={"name": name, "description": "A long text."})

    assert answer.status_code == 422
    assert "A project needs a name." in answer.text


@pytest.mark.parametrize("body", [["name"], {"name": 5}, "name"])
def test_json_in_place_of_a_form_is_an_empty_form(acme, body):
    assert acme.post("/projects/new", json=body).status_code == 422


def test_what_people_type_is_text_not_html(acme):
    path = begin(acme, "<script>alert(1)</script>", "<b>bold</b>")

    assert "<script>alert" not in acme.get(path).text + acme.get("/projects/").text
    assert "&lt;b&gt;bold" in acme.get(path).text


def test_a_project_is_changed(acme, apollo):
    answer = acme.post(f"{apollo}/edit", data=form_of(acme, apollo, name="Gemini"))

    assert answer.status_code == 302
    (project,) = projects_of(acme)
    assert (project.name, project.description) == ("Gemini", "To the moon.")


def test_two_people_who_edit_at_once_lose_nothing(acme, member, apollo):
    adas, maxs = form_of(acme, apollo, name="By Ada"), form_of(member, apollo, name="By Max")
    member.post(f"{apollo}/edit", data=maxs)

    answer = acme.post(f"{apollo}/edit", data=adas)

    assert answer.status_code == 422
    assert "Somebody else changed this meanwhile" in answer.text
    assert "By Max" in answer.text  # What it says now,
    assert "By Ada" in answer.text  # and what she typed.
    assert [project.name for project in projects_of(acme)] == ["By Max"]


def test_what_is_deleted_under_an_edit_is_not_found(acme, apollo, monkeypatch):
    """Between the look and the commit, somebody else removes the row for good."""
    change = Project.change

    def deleted_meanwhile(project, *values):
        with db.engines["features"].begin() as connection:
            connection.execute(Project.__table__.delete())
        change(project, *values)

    form = form_of(acme, apollo, name="By Ada")
    monkeypatch.setattr(Project, "change", deleted_meanwhile)

    assert acme.post(f"{apollo}/edit", data=form).status_code == 404


def test_who_has_read_the_difference_may_save_again(acme, member, apollo):
    adas = form_of(acme, apollo, name="By Ada")
    member.post(f"{apollo}/edit", data=form_of(member, apollo, name="By Max"))
    again = acme.post(f"{apollo}/edit", data=adas)

    acme.post(f"{apollo}/edit", data=adas | {"version": version_in(again.text)})

    assert [project.name for project in projects_of(acme)] == ["By Ada"]


def test_a_form_without_its_version_changes_nothing(acme, apollo):
    answer = acme.post(f"{apollo}/edit", data={"name": "Gemini"})

    assert answer.status_code == 422
    assert [project.name for project in projects_of(acme)] == ["Apollo"]


def test_an_archived_project_leaves_the_list_and_comes_back(acme, apollo):
    acme.post(f"{apollo}/archival")
    assert f'href="/t/acme{apollo}"' not in acme.get("/projects/").text
    assert f'href="/t/acme{apollo}"' in acme.get("/projects/?archived=1").text

    acme.post(f"{apollo}/restoration")
    assert f'href="/t/acme{apollo}"' in acme.get("/projects/").text


def test_archiving_twice_is_one_deed(acme, apollo):
    acme.post(f"{apollo}/archival")
    acme.post(f"{apollo}/archival")

    assert deeds_of(acme).count("project.archived") == 1


def test_deleting_asks_first(acme, apollo):
    assert "Keep it" in acme.get(f"{apollo}/deletion").text
    assert len(projects_of(acme)) == 1

    assert acme.post(f"{apollo}/deletion").status_code == 302
    assert projects_of(acme) == []
    assert acme.get(apollo).status_code == 404


def test_a_member_may_do_all_but_delete(member, apollo):
    assert member.get(f"{apollo}/edit").status_code == 200
    assert "Delete…" not in member.get(apollo).text

    assert member.post(f"{apollo}/deletion").status_code == 403
    assert len(projects_of(member)) == 1


def test_another_tenant_cannot_see_it(initech, apollo):
    for path in ("", "/edit", "/deletion"):
        assert initech.get(apollo + path).status_code == 404
    for path in ("/edit", "/archival", "/restoration", "/deletion"):
        assert initech.post(apollo + path, data={"name": "Ours now"}).status_code == 404
    assert "Apollo" not in initech.get("/projects/").text


def test_each_deed_is_in_the_audit_trail_and_told_to_listeners(acme, apollo):
    acme.post(f"{apollo}/edit", data=form_of(acme, apollo, name="Gemini"))
    acme.post(f"{apollo}/edit", data=form_of(acme, apollo))  # As it is: no deed.
    acme.post(f"{apollo}/archival")
    acme.post(f"{apollo}/restoration")
    acme.post(f"{apollo}/deletion")

    deeds = [
        f"project.{deed}" for deed in ("created", "updated", "archived", "restored", "deleted")
    ]
    assert deeds_of(acme) == deeds
    with acme.serving():
        told = db.session.scalars(select(OutboxRow.name).order_by(OutboxRow.id)).all()
    assert [name for name in told if name.startswith("project.")] == deeds


def test_pages_of_the_list_neither_skip_nor_repeat(pro):
    for number in range(25):
        begin(pro, f"Project {number:02}")

    first = pro.get("/projects/").text
    begin(pro, "Arrived meanwhile")
    second = pro.get(next_in(first)).text

    shown = [
        text.count(f"Project {number:02}<") for number in range(25) for text in (first, second)
    ]
    assert sum(shown) == 25
    assert ">Arrived meanwhile</a>" not in second
    assert "Older projects" not in second


@pytest.mark.parametrize(
    ("words", "found"),
    [("été", ["Été"]), ("ÉTÉ", ["Été"]), ("50%", ["50% off"]), ("_", []), ("\\", []), ("", 3)],
)
def test_people_search_by_name_as_they_would_write_it(acme, words, found):
    names = ["Été", "50% off", "500 miles"]
    for name in names:
        begin(acme, name)
    wanted = found if isinstance(found, list) else names

    page = acme.get("/projects/", query_string={"q": words}).text

    assert [name for name in names if f">{name}</a>" in page] == wanted


@pytest.mark.parametrize("query", ["after=nonsense", "after=", "q=\0", "archived=maybe"])
def test_a_list_that_makes_no_sense_is_answered_all_the_same(acme, apollo, query):
    assert acme.get(f"/projects/?{query}").status_code in {200, 400}


def form_of(company, path, **typed) -> dict[str, str]:
    """What a browser would send from the form as it's now, with something typed into it."""
    page = company.get(f"{path}/edit").text
    (project,) = projects_of(company)
    said = {"name": project.name, "description": project.description}
    return {**said, "version": version_in(page), **typed}


def version_in(page: str) -> str:
    return page.partition('name="version"')[2].partition('value="')[2].partition('"')[0]


def next_in(page: str) -> str:
    link = page.partition('rel="next"')[2].partition('href="')[2].partition('"')[0]
    return link.removeprefix("/t/acme").replace("&amp;", "&")


def deeds_of(company) -> list[str]:
    with company.serving():
        return [row.action for row in reversed(recent())]
