"""A browser without a screen: cookies, forms and their hidden tokens, over HTTP."""

import re
from http.cookiejar import CookieJar
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener

TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


class Browser:
    """One person's browser at one server."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.cookies = CookieJar()
        self.status = 0
        self.tokens: set[str] = set()
        self.opener = build_opener(HTTPCookieProcessor(self.cookies))

    def open(self, path: str, form: dict[str, str] | None = None) -> str:
        data = urlencode(form).encode() if form else None
        try:
            answer = self.opener.open(self.address + path, data, timeout=60)
        except HTTPError as refusal:
            answer = refusal
        with answer:
            self.status = answer.status
            page: str = answer.read().decode()
        self.tokens.update(TOKEN.findall(page))
        return page

    def fill_in(self, path: str, **fields: str) -> str:
        """Open a page and send its form."""
        token = TOKEN.search(self.open(path))
        assert token, f"{path} has no form"
        return self.open(path, {"csrf_token": token[1], **fields})

    def secrets(self) -> set[str]:
        """What nobody else may learn: the values of its cookies and forms' tokens."""
        return self.tokens | {cookie.value for cookie in self.cookies if cookie.value}
