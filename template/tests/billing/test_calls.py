"""The front door: what a plan allows, how many, and what was used."""

from datetime import UTC, datetime

import pytest
import time_machine
from flask_login import login_user
from sqlalchemy import create_engine

from app import billing
from app.auth import identity
from app.billing import LimitReached, NotInPlan, UnknownInPlans
from app.db import db
from app.errors import Unavailable
from app.tenancy import NoTenant
from app.tenancy.urls import SLUG
from tests.world import reads_of


def test_a_tenant_that_never_chose_is_on_the_free_plan(acme):
    with acme.serving():
        assert billing.plan_of().name == "free"
        assert billing.limit("projects") == 3
        assert not billing.allows("reports")


def test_a_granted_plan_is_the_tenants_own(acme, initech):
    grant(acme, "pro")

    with acme.serving():
        assert billing.limit("projects") == 100
        assert billing.allows("reports")
    with initech.serving():
        assert billing.plan_of().name == "free"


def test_a_plan_that_is_granted_counts_at_once_in_the_same_transaction(acme):
    with acme.serving():
        assert not billing.allows("reports")

        billing.grant("pro")

        assert billing.allows("reports")


@pytest.mark.parametrize(
    ("ask", "kind"),
    [
        (lambda: billing.allows("rockets"), "entitlement"),
        (lambda: billing.limit("rockets"), "limit"),
        (lambda: billing.meter("rockets"), "meter"),
        (lambda: billing.used("rockets"), "meter"),
        (lambda: billing.grant("rockets"), "plan"),
    ],
)
def test_a_typo_gives_nothing_away(acme, ask, kind):
    with acme.serving(), pytest.raises(UnknownInPlans, match=f"No {kind} .*'rockets'.*There are: "):
        ask()


def test_a_request_asks_the_database_once(acme):
    with acme.serving():
        with reads_of(db.reader("billing")) as reads:
            for _ in range(3):
                billing.allows("reports")
                billing.limit("projects")

        assert len(reads) == 1


def test_billing_needs_a_tenant(app):
    with app.app_context():
        for ask in (billing.plan_of, lambda: billing.meter("reports.built")):
            with pytest.raises(NoTenant):
                ask()


def test_what_was_used_counts_after_the_commit_for_its_tenant(acme, initech):
    with acme.serving():
        billing.meter("reports.built")
        billing.meter("reports.built", count=4)
        db.session.commit()

        acme.work()

        assert billing.used("reports.built") == 5
    with initech.serving():
        assert billing.used("reports.built") == 0


def test_what_was_rolled_back_was_not_used(acme):
    with acme.serving():
        billing.meter("reports.built")
        db.session.rollback()
        db.session.commit()
        acme.work()

        assert billing.used("reports.built") == 0


@pytest.mark.parametrize("count", [0, -1])
def test_meters_only_count_up(acme, count):
    with acme.serving(), pytest.raises(ValueError, match="only counts up"):
        billing.meter("reports.built", count=count)


def test_each_month_begins_at_zero(acme):
    use_a_report(acme, datetime(2026, 2, 28, 23, 59, tzinfo=UTC))
    use_a_report(acme, datetime(2026, 3, 1, 0, 0, tzinfo=UTC))
    use_a_report(acme, datetime(2026, 3, 31, 23, 59, tzinfo=UTC))

    assert [used_in(acme, month) for month in (2, 3, 4)] == [1, 2, 0]


def test_a_database_of_billing_that_is_away_is_said_so(acme, monkeypatch):
    """It has tables of its own; here they are behind a path that can't be opened."""
    with acme.serving():
        monkeypatch.setattr(db, "reader", lambda _key: unreachable())

        for ask in (billing.plan_of, lambda: billing.used("reports.built")):
            with pytest.raises(Unavailable, match="Billing doesn't answer"):
                ask()


def test_tests_can_switch_billing_off(acme, billing_away):
    with acme.serving():
        for ask in (billing.plan_of, lambda: billing.allows("reports")):
            with pytest.raises(Unavailable):
                ask()


def test_metering_goes_on_while_billing_is_away(acme, monkeypatch):
    with acme.serving():
        with monkeypatch.context() as away:
            away.setattr(db, "reader", lambda _key: unreachable())
            billing.meter("reports.built")
            db.session.commit()
        acme.work()

        assert billing.used("reports.built") == 1


def test_owners_are_pointed_to_the_plans_and_members_to_an_owner(acme, member):
    assert "Another plan" in refusal_seen_by(acme, LimitReached).hint
    assert "Ask an owner" in refusal_seen_by(member, LimitReached).hint
    assert refusal_seen_by(acme, NotInPlan).status == 402


def test_in_the_worker_nobody_is_pointed_anywhere(acme):
    with acme.serving():
        assert "Ask an owner" in LimitReached("Your plan has room for 3 projects.").hint


def grant(company, plan: str) -> None:
    with company.serving():
        billing.grant(plan)
        db.session.commit()


def use_a_report(company, at: datetime) -> None:
    with time_machine.travel(at, tick=False), company.serving():
        billing.meter("reports.built")
        db.session.commit()
    company.work()


def used_in(company, month: int) -> int:
    with time_machine.travel(datetime(2026, month, 10, tzinfo=UTC)), company.serving():
        return billing.used("reports.built")


def unreachable():
    return create_engine("sqlite:////nowhere/at/all.db")


def refusal_seen_by(company, kind):
    """The refusal as it's made while this person asks."""
    environ = {SLUG: company.tenant.slug}
    with company.app.test_request_context("/", environ_overrides=environ):
        login_user(identity.by_session(company.session_id))
        return kind("Your plan has room for 3 projects.")
