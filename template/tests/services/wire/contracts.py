"""The contracts between services: examples of each front door's questions, with their answers.

One file for each package, in tests/services/contracts/. Both sides are tested with it: the service
that answers, over rows in a real database, and the client that asks, against a neighbour that
answers exactly what the file says. So neither side can change alone.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from app.auth.models import Membership, Organisation, User
from app.billing.models import Subscription, Usage
from app.billing.periods import this_month
from app.db import db, now
from app.doors import DOORS, Door
from app.tenancy import Tenant, serving

FOLDER = Path(__file__).parents[1] / "contracts"


def id_of(end: str) -> UUID:
    return UUID(f"00000000-0000-7000-8000-0000000000{end}")


TENANTS = {
    "acme": Tenant(id_of("a1"), "acme", "Acme"),
    "initech": Tenant(id_of("b1"), "initech", "Initech"),
}
PEOPLE = [
    ("acme", "a2", "Ada", "owner"),
    ("acme", "a3", "Max", "member"),
    ("initech", "b2", "Bill", "owner"),
]


@dataclass(frozen=True)
class Example:
    """One question with its answer."""

    door: str
    about: str
    arguments: dict[str, Any]
    answer: Any
    tenant: str | None = None

    def __str__(self) -> str:
        return f"{self.door}: {self.about}"

    @property
    def known(self) -> Door:
        return DOORS[self.door]


def examples() -> list[Example]:
    """Every example of every file."""
    return [
        Example(door, **example)
        for path in sorted(FOLDER.glob("*.json"))
        for door, listed in json.loads(path.read_text("utf-8")).items()
        for example in listed
    ]


def fill() -> None:
    """The rows that the answers are about."""
    for tenant in TENANTS.values():
        db.session.add(Organisation(id=tenant.id, slug=tenant.slug, name=tenant.name))
    db.session.flush()
    for slug, end, name, role in PEOPLE:
        email = f"{name.lower()}@{slug}.test"
        person = User(id=id_of(end), email=email, email_norm=email, name=name, password_hash="-")
        person.email_confirmed_at = now()
        db.session.add(person)
        db.session.flush()
        db.session.add(Membership(tenant_id=TENANTS[slug].id, user_id=person.id, role=role))
    db.session.commit()
    with serving(TENANTS["acme"]):
        db.session.add(Subscription(plan="pro"))
        db.session.add(Usage(month=this_month().first, meter="reports.built", count=7))
        db.session.commit()
