"""A walk over the URL map: every route, as everybody, with the ids of another tenant's rows.

A route is found by itself the moment it exists, a table the moment it has a model.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from app.access import Access, access_of
from tests.isolation import requests
from tests.isolation.rows import content_of, fill, ids_in
from tests.world import Company, Seat

MARKER = "zqinitechsecret"
WRITES = {"POST", "PUT", "PATCH", "DELETE"}


@dataclass
class Walker:
    """Somebody who asks: a browser or a client, and what the tenant's role lets them do."""

    name: str
    app: Flask
    session_id: str = ""
    token: str = ""
    role: str = ""

    def open(self, path: str, **kwargs: Any) -> TestResponse:
        """Ask as this person, with a browser that remembers nothing."""
        client: FlaskClient = self.app.test_client(use_cookies=bool(self.session_id))
        if self.session_id:
            with client.session_transaction() as session:
                session["_user_id"] = self.session_id
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return client.open(path, headers=headers, buffered=True, **kwargs)

    def may(self, access: Access) -> bool:
        """Whether the role includes what the route requires."""
        if access.kind not in {"public", "signed_in", "permission"}:
            return False  # It's for people whom a later stage knows.
        permission = self.app.extensions["permissions"].get(access.permission)
        return self.role == "owner" or permission is None or permission.member


@dataclass
class Walk:
    """Our side of the wall, and theirs."""

    app: Flask
    ours: Company
    theirs: Seat

    def __post_init__(self) -> None:
        self.ids = ids_in(fill(self.theirs, MARKER))
        self.document = requests.Document(self.app)

    @cached_property
    def forms(self) -> dict[str, requests.Fields]:
        """What forms send, as they stand on our own pages."""
        return requests.forms_of(self.ours, fill(self.ours, "ours", "features"))

    def findings(self, walker: Walker, only: str = "") -> list[str]:
        """What is wrong, as sentences, a line for each; nothing if the wall holds."""
        return [
            f"{method} {rule.rule} ({rule.endpoint}) as {walker.name}: {finding}"
            for rule in self.app.url_map.iter_rules()
            if rule.endpoint.startswith(only)
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
            for finding in self.at(walker, rule, method)
        ]

    def at(self, walker: Walker, rule: Rule, method: str) -> list[str]:
        """What is wrong with one route."""
        before = content_of(self.theirs) if method in WRITES else None
        found: dict[str, str] = {}
        for path, an_id, must_hide in self.addresses(rule, method):
            answer = walker.open(path, method=method, **self.sent(rule, method, an_id))
            wrong = judge(answer, walker, access_of(self.app, rule.endpoint), must_hide)
            found.setdefault(wrong, path)
        found.pop("", None)
        if before is not None and content_of(self.theirs) != before:
            found["changes another tenant's row"] = "one of its addresses"
        return [f"{wrong}, at {path}" for wrong, path in found.items()]

    def addresses(self, rule: Rule, method: str) -> Iterator[tuple[str, UUID, bool]]:
        """Where to ask: for their rows at our address, and at theirs."""
        theirs, ours = f"/t/{self.theirs.tenant.slug}", f"/t/{self.ours.tenant.slug}"
        yield theirs + requests.paths_of(rule, self.ids)[0], self.ids[0], True
        if rule.arguments:
            yield from ((ours + requests.build(rule, an_id), an_id, True) for an_id in self.ids)
        elif self.document.takes_ids(rule, method):
            yield from ((ours + rule.rule, an_id, False) for an_id in self.ids)
        elif method == "GET":
            yield ours + rule.rule, self.ids[0], False

    def sent(self, rule: Rule, method: str, an_id: UUID) -> dict[str, Any]:
        """The query, and the body or the form."""
        sent: dict[str, Any] = {"query_string": self.document.query(rule, method, an_id)}
        if method in WRITES and rule.rule.startswith("/api/"):
            body = self.document.body(rule, method, an_id)
            return sent | ({} if body is None else {"json": body})
        if method in WRITES:
            sent["data"] = self.forms.get(rule.endpoint, {})
        return sent


def judge(answer: TestResponse, walker: Walker, access: Access, must_hide: bool) -> str:
    """What is wrong with an answer, or nothing."""
    if MARKER in answer.text or MARKER in str(answer.headers):
        return "shows another tenant's row"
    if answer.status_code >= 500:
        return f"breaks with {answer.status_code}"
    if access.kind == "public" or not must_hide or answer.status_code in allowed(walker, access):
        return ""
    if leads_away(answer):
        return ""
    return f"answers {answer.status_code} and not 404, as if another tenant's row were there"


def allowed(walker: Walker, access: Access) -> set[int]:
    """The statuses that tell nothing. A token is good for its own tenant only, so 401 elsewhere."""
    if not walker.role:
        return {401}
    return {404} | ({401} if walker.token else set()) | (set() if walker.may(access) else {403})


def leads_away(answer: TestResponse) -> bool:
    """Whether it only leads out of any tenant: to the log-in, or to the person's own account."""
    return answer.status_code in {302, 307} and not answer.location.startswith("/t/")
