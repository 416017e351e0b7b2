"""The API: the plan, what it allows, and what is used of it."""

from tests.billing.subscribers import TENTH, at, grant, today, use

BILLING = "/api/v1/billing"


def test_the_api_answers_the_plan_and_its_use(acme):
    with at(TENTH):
        grant(acme)
        use(acme, count=3)

        answer = today(acme).get(BILLING)

    assert answer.json == {
        "plan": "pro",
        "title": "Pro",
        "limits": {"projects": 100, "members": 25},
        "entitlements": {"reports": True},
        "month": "2026-06-01",
        "meters": {"reports.built": {"used": 3, "included": 100, "unit_price": 10}},
    }


def test_members_may_read_it_too(acme, member):
    assert member.get(BILLING).json["plan"] == "free"
