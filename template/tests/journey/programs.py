"""A program somewhere that uses the API, with nothing but a token."""

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

TIMEOUT_SECONDS = 20
TOO_MANY = 429


@dataclass
class Program:
    """It knows the address of a workspace, and a token for it."""

    workspace: str
    token: str

    def get(self, path: str) -> tuple[int, Any]:
        return self.send("GET", path)

    def post(self, path: str, **headers: str) -> tuple[int, Any]:
        return self.send("POST", path, headers)

    def send(
        self, method: str, path: str, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """The status and the JSON of the answer. Raises OSError if there is none.

        Who is told to wait does, and asks again: a later stage keeps each workspace to its share.
        """
        while (answer := self.send_once(method, path, headers))[0] == TOO_MANY:
            time.sleep(1)
        return answer

    def send_once(
        self, method: str, path: str, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        request = urllib.request.Request(f"{self.workspace}{path}", method=method)
        for name, value in {"Authorization": f"Bearer {self.token}", **(headers or {})}.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
