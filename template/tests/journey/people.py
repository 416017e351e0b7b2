"""People with browsers of their own, and what their browsers complain of."""

import secrets
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from tests.browser import axe, listen

PATIENCE_SECONDS = 30
LOOK_AGAIN_SECONDS = 0.2


class Person:
    """Somebody at a browser. The address is a new one, so a journey can be made again anywhere."""

    def __init__(self, browser: Any, url: str, name: str) -> None:
        self.name = name
        self.email = f"{name.lower()}+{secrets.token_hex(4)}@journey.example"
        self.password = f"{secrets.token_hex(4)} walks {secrets.token_hex(4)}"
        self.browser, self.url = browser, url
        self.pages: list[Any] = []
        self.scriptless: list[Any] = []
        self.checked: set[str] = set()
        self.complaints: list[str] = []
        self.page = self.open_browser()

    def open_browser(self, **options: Any) -> Any:
        """Another browser of the same person: no cookies, unless they are given."""
        context = self.browser.new_context(base_url=self.url, **options)
        context.set_default_timeout(PATIENCE_SECONDS * 1000)
        page = context.new_page()
        listen(page, self.complaints)
        self.pages.append(page)
        if not options.get("java_script_enabled", True):
            self.scriptless.append(page)  # axe is a script, too.
        return page

    def close(self) -> None:
        for page in self.pages:
            page.context.close()

    # --- Looking ---------------------------------------------------------------------------------

    def is_at(self, heading: str, page: Any = None) -> None:
        """The page has this heading, its script is content, and it shuts nobody out."""
        page = page or self.page
        page.get_by_role("heading", level=1, name=heading).wait_for()
        assert self.complaints == [], page.url
        if heading not in self.checked and page not in self.scriptless:
            self.checked.add(heading)
            assert axe(page) == [], page.url

    def is_told(self, text: str, page: Any = None) -> None:
        """The page says this somewhere."""
        (page or self.page).get_by_text(text).first.wait_for()

    def looks_until(self, is_so: Callable[[], bool], page: Any = None) -> None:
        """Load the page again until something has arrived that takes its time."""
        eventually(is_so, between=(page or self.page).reload)

    # --- Doing -----------------------------------------------------------------------------------

    def goes(self, path: str) -> int:
        """Open an address by hand; answers the status."""
        answer = self.page.goto(path)
        return int(answer.status)

    def clicks(self, name: str, page: Any = None) -> None:
        """Click a link or a button by what it says."""
        page = page or self.page
        page.get_by_role("link", name=name).or_(page.get_by_role("button", name=name)).first.click()

    def fills(self, values: dict[str, str], page: Any = None) -> None:
        """Fill in fields by their labels."""
        for label, value in values.items():
            (page or self.page).get_by_label(label).first.fill(value)

    def logs_in(self, page: Any = None) -> None:
        page = page or self.page
        page.goto("/login")
        self.fills({"E-mail address": self.email, "Password": self.password}, page)
        self.clicks("Log in", page)
        page.wait_for_url(lambda url: urlsplit(url).path != "/login")

    def opens_letter(self, subject: str, page: Any = None) -> None:
        """Open the link in the newest letter of this subject, once it has come."""
        page = page or self.page
        page.goto("/dev/mail/")
        letters = page.get_by_role("row").filter(has_text=self.email).filter(has_text=subject)
        self.looks_until(lambda: letters.count() > 0, page)
        letters.first.get_by_role("link").click()
        page.locator("pre a").first.click()


def eventually(
    is_so: Callable[[], bool],
    *,
    between: Callable[[], Any] = lambda: None,
    patience: float = PATIENCE_SECONDS,
) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + patience
    while not is_so():
        assert time.monotonic() < deadline, f"waited {patience} seconds in vain"
        time.sleep(LOOK_AGAIN_SECONDS)
        between()
