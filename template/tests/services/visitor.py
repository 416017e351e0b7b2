"""Somebody at a browser without a screen: cookies, forms and redirects, and no script.

ada = Visitor(system.url)
ada.logs_in("ada@acme.example")
ada.get("/t/acme/projects/").says("Website")
ada.sends("/t/acme/projects/new", name="Another one")
"""

import re
from dataclasses import dataclass
from urllib.parse import urlencode, urljoin

import urllib3

from app.dev.seed import PASSWORD

TIMEOUT_SECONDS = 30
TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Page:
    """What came back."""

    status: int
    path: str
    text: str
    leads_to: str

    def says(self, words: str) -> bool:
        return words in self.text


class Visitor:
    """A browser of one person; it follows redirects only when told to."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = urllib3.PoolManager(retries=False, timeout=TIMEOUT_SECONDS)
        self.cookies: dict[str, str] = {}

    def get(self, path: str) -> Page:
        return self.ask("GET", path)

    def sends(self, path: str, *, of: str = "", **typed: str) -> Page:
        """Send the form of a page (`of`, if it's on another one) with its token."""
        form = self.get(of or path)
        token = TOKEN.search(form.text)
        assert token, f"{form.path} answered {form.status} without a form:\n{form.text[:2000]}"
        return self.ask("POST", path, {**typed, "csrf_token": token[1]})

    def logs_in(self, email: str, password: str = PASSWORD) -> None:
        page = self.sends("/login", email=email, password=password)
        assert page.status == 302, f"{page.status}: {page.text[:2000]}"

    def follows(self, page: Page) -> Page:
        return self.get(page.leads_to)

    def ask(self, method: str, path: str, fields: dict[str, str] | None = None) -> Page:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if fields is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        body = None if fields is None else urlencode(fields)
        address = urljoin(self.url, path)
        answer = self.http.request(method, address, body=body, headers=headers, redirect=False)
        for cookie in answer.headers.getlist("Set-Cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        leads_to = answer.headers.get("Location", "")
        return Page(answer.status, path, answer.data.decode(), leads_to)
