"""A browser for attacks: it keeps cookies, fills in forms, and waits when it's told to."""

import re
import time
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urlsplit

import click
import orjson
from urllib3 import BaseHTTPResponse, HTTPHeaderDict, PoolManager, Timeout
from urllib3.exceptions import HTTPError

CSRF = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
LONGEST_WAIT, TRIES = 30, 4
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
POOL = PoolManager(retries=False, timeout=Timeout(connect=5, read=30))


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    text: str
    headers: HTTPHeaderDict

    @property
    def location(self) -> str:
        return self.headers.get("Location", "")

    def json(self) -> Any:
        try:
            return orjson.loads(self.text)
        except orjson.JSONDecodeError:
            return None


@dataclass
class Browser:
    """Somebody's browser, or a program with their token."""

    url: str
    token: str = ""
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(
        self,
        path: str,
        method: str = "GET",
        *,
        json: Any = None,
        form: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send one request; who is asked to wait a moment does."""
        sent = self.headers_for(json, form) | (headers or {})
        body = orjson.dumps(json) if json is not None else urlencode(form) if form else None
        for _ in range(TRIES):
            answer = self.send(path, method, body, sent)
            pause = answer.headers.get("Retry-After", "")
            if answer.status not in {429, 503} or not pause.isdigit():
                break
            time.sleep(min(int(pause), LONGEST_WAIT))
        return answer

    def headers_for(self, json: Any, form: dict[str, str] | None) -> dict[str, str]:
        headers = {"Cookie": "; ".join(f"{n}={v}" for n, v in self.cookies.items())}
        if not self.cookies:
            headers.clear()
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if json is not None:
            headers["Content-Type"] = "application/json"
        return headers | (FORM if form is not None else {})

    def send(self, path: str, method: str, body: Any, headers: dict[str, str]) -> Answer:
        """The path goes as it is: dots and escapes are part of what is tried."""
        parts = urlsplit(self.url)
        try:
            pool = POOL.connection_from_url(self.url)
            found: BaseHTTPResponse = pool.urlopen(
                method,
                f"{parts.path.rstrip('/')}{path}",
                body=body,
                headers=headers,
                redirect=False,
                assert_same_host=False,
            )
        except (HTTPError, ValueError) as error:
            raise click.ClickException(f"{self.url} doesn't answer: {error}") from None
        self.keep(found.headers)
        text = found.data.decode("utf-8", "replace")
        return Answer(found.status, text, found.headers)

    def keep(self, headers: HTTPHeaderDict) -> None:
        for line in headers.getlist("Set-Cookie"):
            for name, cookie in SimpleCookie(line).items():
                self.cookies[name] = cookie.value

    def fill_in(self, path: str, **fields: str) -> Answer:
        """Open a page and send its form."""
        return self.ask(path, "POST", form={"csrf_token": self.csrf_of(path), **fields})

    def csrf_of(self, path: str) -> str:
        found = CSRF.search(self.ask(path).text)
        return found[1] if found else ""
