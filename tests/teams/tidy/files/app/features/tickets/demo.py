"""Demo data: some tickets in each workspace."""

from uuid import UUID

from app.db import db
from app.features.tickets.models import Ticket

NAMES = [f"Ticket {number} — “quoted”, ünïcode, 票" for number in range(120)]


def fill(people: list[UUID]) -> None:
    """Give the current tenant tickets, the third of them urgent."""
    for number, name in enumerate(NAMES):
        by = people[number % len(people)]
        db.session.add(Ticket(name=name, created_by=by, priority=1 if number % 3 == 0 else 2))
