"""The one journey through the whole product, in a real browser: the same at every stage.

Each test is the next step of it, in one world. It knows a URL and a mailbox, nothing of the code.
"""

import csv
from pathlib import Path
from typing import Any

import pytest

from tests.journey.people import Person, eventually
from tests.journey.programs import Program

pytestmark = pytest.mark.journey

STEPS_TO_A_FIELD = 12


@pytest.fixture(autouse=True)
def on_the_way(world):
    if world.stopped_at:
        pytest.skip(f"the journey stopped at {world.stopped_at}")


def test_a_stranger_signs_up(world):
    ada = world.ada
    assert ada.goes("/") == 200
    ada.clicks("Sign up")
    ada.is_at("Sign up")

    ada.fills({"Your name": ada.name, "Work e-mail": ada.email, "Password": ada.password})
    ada.clicks("Sign up")

    ada.is_at("Look into your mailbox")


def test_the_letter_confirms_the_address(world):
    ada = world.ada
    ada.opens_letter("Confirm your address")
    ada.is_at("Confirm your address")

    ada.clicks("Confirm and log in")

    ada.is_at("Workspaces")


def test_a_workspace_is_created(world):
    ada = world.ada
    ada.fills({"Name": f"Journey {ada.email.partition('@')[0]}"})

    ada.clicks("Create the workspace")

    ada.is_at("Projects")
    ada.is_told("No projects yet")
    world.workspace = ada.page.url.removesuffix("/projects/")


def test_projects_are_begun_until_the_plan_is_full(world):
    ada = world.ada
    limit = billing_of(ada, world)["limits"]["projects"]

    for number in range(1, limit + 1):
        begin(ada, world, f"Project {number}")
        ada.is_at(f"Project {number}")
        world.projects[f"Project {number}"] = ada.page.url
    begin(ada, world, "One too many")

    ada.is_at("New project")
    ada.is_told("Your plan is full")
    assert ada.page.get_by_label("Name").input_value() == "One too many"


def test_reports_want_another_plan(world):
    ada = world.ada
    assert not billing_of(ada, world)["entitlements"]["reports"]

    ada.goes(f"{world.workspace}/projects/reports/")
    ada.clicks("Build report")

    ada.is_at("Your plan doesn't include that")


def test_the_plan_is_changed(world):
    ada = world.ada
    ada.clicks("Compare plans")
    ada.is_at("Plans")
    ada.is_told("Development driver")

    ada.clicks("Change to")

    ada.is_at("Billing")
    assert billing_of(ada, world)["entitlements"]["reports"]
    begin(ada, world, "One more")
    ada.is_at("One more")
    world.projects["One more"] = ada.page.url


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_a_report_is_built_while_one_looks(world, scripts, tmp_path):
    ada = world.ada
    page = ada.open_browser(
        java_script_enabled=scripts, storage_state=ada.page.context.storage_state()
    )
    page.goto(f"{world.workspace}/projects/reports/")
    ada.clicks("Build report", page)

    ada.is_told("Built on", page)  # The page comes again by itself until then.
    ada.is_at("Report of all projects", page)

    rows = read_csv(download(page, "Download CSV", tmp_path))
    assert [row["name"] for row in rows] == list(world.projects)
    page.context.close()
    ada.pages.remove(page)


def test_the_meter_has_counted_the_reports(world):
    eventually(lambda: billing_of(world.ada, world)["meters"]["reports.built"]["used"] == 2)


def test_the_dashboard_shows_what_happened(world):
    ada = world.ada
    ada.goes(f"{world.workspace}/")
    ada.clicks("Analytics")
    ada.is_at("Analytics")

    ada.looks_until(lambda: count_of(ada, "report downloaded") == 2)

    assert count_of(ada, "project created") == len(world.projects)
    assert count_of(ada, "report built") == 2


def test_what_happened_can_be_taken_along(world, tmp_path):
    happened = read_csv(download(world.ada.page, "Export as CSV", tmp_path))

    projects = {row["facts"] for row in happened if row["event"] == "project created"}
    assert len(projects) == len(world.projects)


def test_a_colleague_is_invited(world):
    ada = world.ada
    ada.clicks("Members")
    ada.is_at("Members")

    ada.fills({"E-mail address": world.max.email})
    ada.clicks("Send the invitation")

    ada.is_told(f"The invitation to {world.max.email} is on its way")


def test_the_colleague_joins_as_somebody_new(world):
    colleague = world.max
    colleague.opens_letter("invites you")
    colleague.is_at("Join Journey")

    colleague.fills({"Your name": colleague.name, "Password": colleague.password})
    colleague.clicks("Join")

    colleague.is_at("Projects")
    for name in world.projects:
        colleague.is_told(name)


def test_the_colleague_finds_owners_pages_shut(world):
    colleague = world.max

    assert colleague.goes(f"{world.workspace}/settings/audit") == 403

    colleague.is_at("You can't do that here")
    colleague.clicks("Back to Journey")
    colleague.is_at("Projects")


def test_both_are_among_the_members(world):
    for person in world.people:
        person.goes(f"{world.workspace}/members")
        person.is_at("Members")
        assert role_of(person, world.ada) == "owner"
        assert role_of(person, world.max) == "member"


def test_a_program_uses_a_token_until_it_is_revoked(world):
    ada = world.ada
    ada.clicks("Settings")
    ada.clicks("Your API tokens")
    ada.is_at("API tokens")
    ada.fills({"What is it for": "The journey"})
    ada.clicks("Make the token")
    ada.is_told("Your new token")
    program = Program(world.workspace, ada.page.locator("code").first.inner_text())

    status, listed = program.get("/api/v1/projects/")
    ada.clicks("Revoke")
    ada.is_told("The token is revoked")

    assert status == 200
    assert {project["name"] for project in listed["items"]} == set(world.projects)
    assert program.get("/api/v1/projects/")[0] == 401


def test_a_forgotten_password_is_replaced_and_ends_old_sessions(world):
    colleague = world.max
    elsewhere = colleague.open_browser()
    elsewhere.goto("/login")
    colleague.clicks("Forgot your password?", elsewhere)
    elsewhere.get_by_label("E-mail address").fill(colleague.email)
    colleague.clicks("Send the link", elsewhere)
    colleague.is_at("Log in", elsewhere)

    colleague.opens_letter("Choose a new password", elsewhere)
    colleague.is_at("Choose a new password", elsewhere)
    colleague.password += " again"
    elsewhere.get_by_label("Password").fill(colleague.password)
    colleague.clicks("Set the password and log in", elsewhere)
    colleague.is_at("Projects", elsewhere)

    colleague.goes(f"{world.workspace}/projects/")
    colleague.is_at("Log in")
    colleague.logs_in()
    colleague.is_at("Projects")


def test_a_second_workspace_knows_nothing_of_the_first(world):
    ada = world.ada
    ada.goes(f"{world.workspace}/")
    ada.clicks("switch workspace")
    ada.is_at("Workspaces")
    ada.clicks("New workspace")
    ada.is_at("New workspace")
    ada.fills({"Name": f"Second {ada.email.partition('@')[0]}"})
    ada.clicks("Create the workspace")
    ada.is_at("Projects")
    ada.is_told("No projects yet")
    second_workspace = ada.page.url.removesuffix("/projects/")

    theirs = world.projects["Project 1"]
    assert ada.goes(theirs.replace(world.workspace, second_workspace)) == 404
    assert ada.goes(theirs) == 200
    assert world.max.goes(f"{second_workspace}/projects/") == 404


def test_the_log_in_needs_no_mouse(world):
    ada = world.ada
    page = ada.open_browser()
    page.goto("/login")

    tab_to(page, "E-mail address")
    page.keyboard.type(ada.email)
    page.keyboard.press("Tab")
    page.keyboard.type(ada.password)
    page.keyboard.press("Enter")

    ada.is_at("Workspaces", page)


def test_a_form_that_comes_too_late_gives_back_what_was_typed(world):
    ada = world.ada
    ada.goes(f"{world.workspace}/projects/new")
    ada.fills({"Name": "Late", "Description": "Hours of work"})
    ada.page.context.clear_cookies()

    ada.clicks("Begin project")

    ada.is_at("This page was too old")
    assert ada.page.get_by_label("Description").input_value() == "Hours of work"
    ada.logs_in()


def test_signing_out_shuts_the_door(world):
    ada = world.ada
    name, project = next(iter(world.projects.items()))
    ada.goes(project)
    ada.page.locator("summary").filter(has_text=ada.email).click()
    ada.clicks("Log out")
    ada.is_at("Log in")

    ada.page.go_back()

    ada.is_at("Log in")
    ada.goes(project)
    ada.is_at("Log in")
    ada.fills({"E-mail address": ada.email, "Password": ada.password})
    ada.clicks("Log in")
    ada.is_at(name)


# --- What the steps are made of ------------------------------------------------------------------


def begin(person: Person, world: Any, name: str) -> None:
    person.goes(f"{world.workspace}/projects/")
    person.clicks("New project")
    person.is_at("New project")
    person.fills({"Name": name})
    person.clicks("Begin project")


def billing_of(person: Person, world: Any) -> Any:
    """What the workspace's plan allows, as a script of the person's page would ask."""
    return person.page.request.get(f"{world.workspace}/api/v1/billing").json()


def count_of(person: Person, event: str) -> int:
    """How often the dashboard says that something happened."""
    bars = person.page.get_by_role("table", name="Events by name")
    row = bars.get_by_role("row").filter(has_text=event)
    return int(row.get_by_role("cell").last.inner_text()) if row.count() else 0


def role_of(person: Person, other: Person) -> str:
    row = person.page.get_by_role("row").filter(has_text=other.email)
    return str(row.locator(".badge").inner_text()).lower()


def download(page: Any, link: str, folder: Path) -> Path:
    with page.expect_download() as coming:
        page.get_by_role("link", name=link).click()
    path = folder / coming.value.suggested_filename
    coming.value.save_as(path)
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def tab_to(page: Any, label: str) -> None:
    """Press Tab until the field has the focus."""
    field = page.get_by_label(label)
    for _ in range(STEPS_TO_A_FIELD):
        page.keyboard.press("Tab")
        if field.evaluate("field => field === document.activeElement"):
            return
    pytest.fail(f"Tab doesn't lead to “{label}”")
