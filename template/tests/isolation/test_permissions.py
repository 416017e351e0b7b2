"""A route that requires a permission is closed to every role that lacks it."""

from uuid import uuid4

from app.access import access_of
from tests.isolation.requests import build


def routes_of(app):
    """Each route with its method, its access, and an address for it."""
    for rule in app.url_map.iter_rules():
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            yield method, rule.rule, access_of(app, rule.endpoint), "/t/acme" + build(rule, uuid4())


def test_a_member_may_do_only_what_members_may(app, walkers):
    member = walkers["member"](app)

    open_to_them = [
        f"{method} {rule}"
        for method, rule, access, path in routes_of(app)
        if not member.may(access) and member.open(path, method=method).status_code != 403
    ]

    assert open_to_them == []


def test_a_stranger_is_asked_who_they_are(app, walkers):
    stranger = walkers["anonymous"](app)

    let_in = [
        f"{method} {rule}"
        for method, rule, access, path in routes_of(app)
        if access.kind != "public" and not asked(stranger.open(path, method=method), rule)
    ]

    assert let_in == []


def asked(answer, rule: str) -> bool:
    if rule.startswith("/api/"):
        return answer.status_code == 401 and "WWW-Authenticate" in answer.headers
    return answer.status_code in {302, 307} and not answer.location.startswith("/t/")


def test_some_routes_are_closed_to_members(app, walkers):
    """Or the test above would test nothing."""
    member = walkers["member"](app)

    assert any(not member.may(access) for _, _, access, _ in routes_of(app))
