"""How the pages look, in a real browser: accessible, never too wide, and nothing blocked.

Each page is seen in light and dark, on a desk and on a telephone, and is written to screenshots/.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser import PROJECT, LiveServer, axe, listen, sign_in

pytestmark = pytest.mark.journey

SCREENSHOTS = PROJECT / "screenshots"
WIDTHS = {"desk": 1280, "phone": 390}
NARROWEST = 360
NOBODY = ""
OWNER = "ada@acme.example"
MEMBER = "sam@consulting.example"
PAGES = {
    "home": (NOBODY, "/"),
    "login": (NOBODY, "/login"),
    "signup": (NOBODY, "/signup"),
    "forgot": (NOBODY, "/forgot"),
    "dead link": (NOBODY, "/reset?token=nonsense"),
    "not found": (NOBODY, "/nothing-here"),
    "style guide": (NOBODY, "/styleguide"),
    "mailbox": (NOBODY, "/dev/mail/"),
    "workspaces": (MEMBER, "/workspaces"),
    "new workspace": (OWNER, "/workspaces/new"),
    "account": (OWNER, "/account"),
    "change password": (OWNER, "/account/password"),
    "dashboard": (OWNER, "/t/acme/analytics/"),
    "dashboard of a week": (MEMBER, "/t/initech/analytics/?days=7"),
    "dashboard of bad dates": (OWNER, "/t/acme/analytics/?from=never"),
    "projects": (OWNER, "/t/acme/projects/"),
    "projects not found": (OWNER, "/t/acme/projects/?q=zebra"),
    "new project": (OWNER, "/t/acme/projects/new"),
    "reports": (OWNER, "/t/acme/projects/reports/"),
    "billing": (OWNER, "/t/acme/billing/"),
    "plans": (OWNER, "/t/acme/billing/plans"),
    "invoices": (OWNER, "/t/acme/billing/invoices"),
    "members": (OWNER, "/t/acme/members"),
    "members seen by a member": (MEMBER, "/t/initech/members"),
    "settings": (OWNER, "/t/acme/settings"),
    "tokens": (OWNER, "/t/acme/settings/tokens"),
    "api": (NOBODY, "/docs"),
    "api of a workspace": (OWNER, "/t/acme/docs#projects_create"),
    "audit trail": (OWNER, "/t/acme/settings/audit"),
    "not allowed": (MEMBER, "/t/acme/settings/audit"),
}


@pytest.fixture(scope="module")
def window(browser: Any, live_server: LiveServer) -> Iterator[Callable[[str, str], Any]]:
    """Opens one of the demo people's browsers, in light or dark; each logs in once."""
    opened: dict[tuple[str, str], Any] = {}
    cookies: dict[str, Any] = {NOBODY: None}

    def open_window(email: str, scheme: str) -> Any:
        if (email, scheme) not in opened:
            context = browser.new_context(
                base_url=live_server.url, color_scheme=scheme, storage_state=cookies.get(email)
            )
            page = context.new_page()
            if email not in cookies:
                sign_in(page, email)
                cookies[email] = context.storage_state()
            opened[email, scheme] = page
        return opened[email, scheme]

    yield open_window
    for page in opened.values():
        page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_and_fits(window, name, scheme):
    email, path = PAGES[name]
    page = window(email, scheme)
    complaints: list[str] = []
    listen(page, complaints)

    page.goto(path)

    for size, width in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": 860})
        page.screenshot(path=SCREENSHOTS / f"{name} {scheme} {size}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert axe(page) == []
    assert complaints == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_on_the_smallest_telephone(window, name):
    email, path = PAGES[name]
    page = window(email, "light")

    page.set_viewport_size({"width": NARROWEST, "height": 700})
    page.goto(path)

    assert page.evaluate("document.documentElement.scrollWidth") <= NARROWEST
