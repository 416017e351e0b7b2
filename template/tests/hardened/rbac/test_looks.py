"""The pages about roles in a real browser: accessible, in light and dark, on any screen."""

import pytest

from tests.browser import axe, listen, sign_in
from tests.pages.test_looks import SCREENSHOTS, WIDTHS

pytestmark = pytest.mark.journey


@pytest.fixture(scope="module")
def context(browser, live_server):
    opened = browser.new_context(base_url=live_server.url)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def page(context):
    """Ada's browser, with a role that Max has."""
    page = context.new_page()
    sign_in(page, "ada@acme.example")
    page.goto("/t/acme/members/roles/new")
    page.get_by_role("textbox", name="Name").fill("Bookkeeper")
    page.get_by_label("See the invoices").check()
    page.get_by_role("button", name="Make the role").click()
    page.wait_for_url("**/members/roles")
    page.goto("/t/acme/members")
    page.get_by_label("Access of Max").click()
    page.get_by_label("Bookkeeper").check()
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/access")
    assert page.get_by_text("Granted by Bookkeeper.").count() == 1
    return page


def to_roles(page):
    page.goto("/t/acme/members/roles")


def to_new(page):
    page.goto("/t/acme/members/roles/new")


def to_edit(page):
    to_roles(page)
    page.get_by_label("Edit Bookkeeper").click()


def to_deletion(page):
    to_roles(page)
    page.get_by_label("Delete Bookkeeper").click()


def to_access(page):
    page.goto("/t/acme/members")
    page.get_by_label("Access of Max").click()


def to_members(page):
    page.goto("/t/acme/members")


WAYS = {
    "roles": to_roles,
    "new role": to_new,
    "edit role": to_edit,
    "delete role": to_deletion,
    "access": to_access,
    "members with roles": to_members,
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", WAYS)
def test_a_page_is_accessible_and_fits(page, name, scheme):
    complaints: list[str] = []
    listen(page, complaints)
    page.emulate_media(color_scheme=scheme)

    WAYS[name](page)

    for size, width in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": 860})
        page.screenshot(path=SCREENSHOTS / f"{name} {scheme} {size}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert axe(page) == []
    assert complaints == []
    page.set_viewport_size({"width": WIDTHS["desk"], "height": 860})
