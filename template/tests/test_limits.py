"""Rate limits: on the views that ask for one, and nowhere else."""

import pytest

from app.access import public
from app.limits import address, limiter


def test_a_limited_view_says_when_to_come_back(make_app):
    app = make_app()
    app.add_url_rule("/door", "door", public(limiter.limit("2 per minute")(lambda: "open")))
    client = app.test_client()

    answers = [client.get("/door") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["X-RateLimit-Remaining"] == "1"
    assert int(answers[2].headers["Retry-After"]) <= 60


def test_other_views_have_no_limit(make_app):
    client = make_app().test_client()

    answer = client.get("/healthz")

    assert answer.status_code == 200
    assert "X-RateLimit-Limit" not in answer.headers


@pytest.mark.parametrize(
    ("seen", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
    ],
)
def test_each_household_has_a_limit_of_its_own(app, seen, counted):
    with app.test_request_context(environ_base={"REMOTE_ADDR": seen}):
        assert address() == counted
