"""`flask seed`: a demo to look around in, made once, and never in production."""

from dataclasses import replace
from datetime import timedelta

import click
import pytest
from sqlalchemy import func, select

from app import auth, billing
from app.analytics.models import Fact
from app.auth.models import Membership, Organisation, User
from app.auth.passwords import is_right
from app.billing.models import Invoice, Subscription, Usage
from app.db import METADATA, db, now, reading
from app.dev import seed as seeding
from app.dev.seed import COMPANIES, PASSWORD, seed
from app.tenancy import serving
from tests.world import PRODUCTION

ROLES = {
    ("acme", "ada@acme.example", "owner"),
    ("acme", "max@acme.example", "member"),
    ("acme", "sam@consulting.example", "member"),
    ("initech", "bill@initech.example", "owner"),
    ("initech", "sam@consulting.example", "member"),
}


@pytest.fixture
def seeded(app):
    seed(app)
    return app


def test_two_companies_have_their_people(seeded):
    people = (
        select(Organisation.slug, User.email, Membership.role)
        .join(Membership, Membership.tenant_id == Organisation.id)
        .join(User, User.id == Membership.user_id)
    )

    with seeded.app_context():
        assert {tuple(row) for row in db.session.execute(people)} == ROLES


def test_everybody_can_log_in(seeded):
    with seeded.app_context():
        for user in db.session.scalars(select(User)):
            assert is_right(user.password_hash, PASSWORD)
            assert user.email_confirmed_at is not None


def test_each_company_has_its_plan(seeded):
    assert {company.slug: plan_of(seeded, company.slug) for company in COMPANIES} == {
        "acme": "pro",
        "initech": "free",
    }


def test_a_team_may_have_other_plans(app, monkeypatch):
    other = [replace(company, plan="enterprise") for company in COMPANIES]
    monkeypatch.setattr(seeding, "COMPANIES", other)

    assert seed(app) == ["Acme", "Initech"]
    assert plan_of(app, "acme") == "free"


@pytest.mark.parametrize("slug", ["acme", "initech"])
def test_each_company_has_a_past_of_some_weeks_that_is_over(seeded, slug):
    with seeded.app_context(), serving(auth.find_tenant(slug)):
        first, last, count = db.session.execute(
            select(func.min(Fact.at), func.max(Fact.at), func.count(Fact.id))
        ).one()

    assert now() - first > timedelta(weeks=6)
    assert last < now()
    assert count > 100


def test_a_plan_that_is_paid_for_has_invoices_since_the_first_day(seeded):
    with seeded.app_context(), serving(auth.find_tenant("acme")):
        invoices = db.session.scalars(select(Invoice).order_by(Invoice.number)).all()
        (subscription,) = db.session.scalars(select(Subscription))

        assert len(invoices) >= 3
        assert 0 < invoices[0].total < invoices[1].total
        assert {invoice.status for invoice in invoices} == {"paid"}
        assert subscription.period_ends_at > now()
        assert db.session.scalar(select(func.count(Usage.id)).select_from(Usage)) >= 2


def test_seeding_twice_changes_nothing(seeded):
    before = rows_in(seeded)

    assert seed(seeded) == []
    assert rows_in(seeded) == before


def test_seeding_goes_on_where_it_was_interrupted(app, monkeypatch):
    """As by Ctrl-C in the middle of the second company."""
    history_of = seeding.history_of
    monkeypatch.setattr(seeding, "history_of", interrupted_at_the_second(history_of))
    with pytest.raises(KeyboardInterrupt):
        seed(app)
    monkeypatch.setattr(seeding, "history_of", history_of)

    assert seed(app) == ["Initech"]
    with app.app_context():
        assert len(list(auth.all_tenants())) == len(COMPANIES)


def interrupted_at_the_second(history_of):
    calls = []

    def interrupted(people):
        calls.append(people)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return history_of(people)

    return interrupted


def test_the_demo_tenants_leave_others_alone(app, member):
    """Somebody already has a workspace called acme: it stays as it is."""
    with member.serving():
        facts = db.session.scalar(select(func.count(Fact.id)))

    assert seed(app) == ["Initech"]
    with member.serving():
        assert db.session.scalar(select(func.count(Fact.id))) == facts


def test_production_is_never_seeded(make_app):
    production = make_app(**PRODUCTION)

    with pytest.raises(click.ClickException, match="not in production"):
        seed(production)
    assert "seed" not in production.cli.commands


def test_missing_tables_are_said(app, monkeypatch):
    monkeypatch.setattr("app.migrate.pending", lambda _app: ["features"])

    answer = app.test_cli_runner().invoke(args=["seed"])

    assert answer.exit_code == 1
    assert "flask db upgrade" in answer.output


def test_the_command_prints_the_log_ins(app):
    answer = app.test_cli_runner().invoke(args=["seed"])
    again = app.test_cli_runner().invoke(args=["seed"])

    assert "Made Acme and Initech." in answer.output
    assert "there already" in again.output
    for output in (answer.output, again.output):
        assert "ada@acme.example" in output
        assert PASSWORD in output


def plan_of(app, slug: str) -> str:
    with app.app_context(), serving(auth.find_tenant(slug)):
        return billing.plan_of().name


def rows_in(app) -> dict[str, int]:
    """How many rows each table has."""
    tables = [table for metadata in METADATA.values() for table in metadata.sorted_tables]
    with app.app_context(), reading(None) as connection:
        return {
            table.name: connection.scalar(select(func.count()).select_from(table))
            for table in tables
        }
