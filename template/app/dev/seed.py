"""`flask seed`: two demo tenants with people and some weeks of life, so that no page is empty."""

from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from uuid import UUID

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from sqlalchemy import select

from app import analytics, auth, billing, features
from app.auth.models import Membership, Organisation, User
from app.auth.passwords import hash_password
from app.db import db, now
from app.dev import paid
from app.dev.history import history_of
from app.tenancy import enter

PASSWORD = "demo-password-1"  # noqa: S105  # Printed for everybody, and refused in production.


@dataclass(frozen=True, slots=True)
class Company:
    """A demo tenant: its plan and its people with their roles, the busiest first."""

    slug: str
    name: str
    plan: str
    people: dict[str, str]


PEOPLE = {
    "ada@acme.example": "Ada Lovelace",
    "max@acme.example": "Max Planck",
    "bill@initech.example": "Bill Lumbergh",
    "sam@consulting.example": "Sam Rivera",
}
COMPANIES = (
    Company(
        "acme",
        "Acme",
        "pro",
        {
            "ada@acme.example": "owner",
            "max@acme.example": "member",
            "sam@consulting.example": "member",
        },
    ),
    Company(
        "initech",
        "Initech",
        "free",
        {"bill@initech.example": "owner", "sam@consulting.example": "member"},
    ),
)


def init_app(app: Flask) -> None:
    app.cli.add_command(seed_command)


@click.command("seed")
@with_appcontext
def seed_command() -> None:
    """Make the demo tenants Acme and Initech, with people and data."""
    from app import migrate  # Alembic is slow to import.

    with migrate.plain_errors():
        made = seed(current_app)
    click.echo(f"Made {' and '.join(made)}." if made else "The demo data is there already.")
    click.echo(log_ins())


def seed(app: Flask) -> list[str]:
    """Make the demo tenants that are not there yet, and answer their names."""
    refuse_where_it_would_harm(app)
    made = [company for company in COMPANIES if make(app, company)]
    return [company.name for company in made]


def refuse_where_it_would_harm(app: Flask) -> None:
    from app import migrate  # Alembic is slow to import.

    if app.config["SETTINGS"].in_production:
        raise click.ClickException("The demo people's password is public: not in production.")
    with app.app_context():
        if migrate.pending(app):
            raise click.ClickException(
                "The tables aren't up to date: run `uv run flask db upgrade` first."
            )


def make(app: Flask, company: Company) -> bool:
    """Make a company in one transaction: it's there with all its data, or not at all."""
    with app.app_context():
        if auth.find_tenant(company.slug):
            return False
        people = move_in(company)
        happened = history_of(people)
        with suppress(billing.UnknownInPlans):  # The plans are the team's, and may be others.
            paid.subscribe(company.plan, happened)
        fill_features(people)
        analytics.backfill(happened)
        db.session.commit()
        return True


def move_in(company: Company) -> list[UUID]:
    """Found the tenant, and serve it from here on; answers the ids of its people."""
    organisation = Organisation(slug=company.slug, name=company.name)
    people = [person(email) for email in company.people]
    db.session.add_all([organisation, *people])
    for user, role in zip(people, company.people.values(), strict=True):
        db.session.add(Membership(tenant_id=organisation.id, user_id=user.id, role=role))
    enter(organisation.as_tenant())
    return [user.id for user in people]


def person(email: str) -> User:
    """One of the demo people; a person of two companies is one person."""
    known = db.session.scalars(select(User).where(User.email_norm == email)).one_or_none()
    return known or User(
        email=email,
        email_norm=email,
        name=PEOPLE[email],
        password_hash=hash_password(PASSWORD),
        email_confirmed_at=now(),
    )


def fill_features(people: list[UUID]) -> None:
    """Let each feature that has a `demo` module add its own rows."""
    for name in features.names():
        module = f"{features.__name__}.{name}.demo"
        if find_spec(module):
            import_module(module).fill(people)


def log_ins() -> str:
    """Who may log in where, as a table."""
    lines = [
        f"  {email:24} {PASSWORD:18} {', '.join(c.name for c in COMPANIES if email in c.people)}"
        for email in PEOPLE
    ]
    return "\n".join([f"  {'E-mail':24} {'Password':18} Workspaces", *lines])
