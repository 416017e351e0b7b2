"""Demo data: `flask seed` calls `fill` for each of the demo tenants."""

from datetime import timedelta
from itertools import cycle
from uuid import UUID

from app.db import db, now
from app.features.projects.models import Project

# How many days ago they were begun and last changed; the oldest first.
PROJECTS = {
    "Spring catalogue": (63, 40, "Printed, sent, and sold out in a week."),
    "Apollo": (
        61,
        1,
        "The new customer portal: two minutes to sign up, and no call.",
    ),
    "Website relaunch": (48, 3, "New pages, new pictures, half the words. Ready before the fair."),
    "Warehouse move": (35, 9, "From Harbour Street to the ring road, one aisle each night."),
}
ARCHIVED = {"Spring catalogue"}


def fill(people: list[UUID]) -> None:
    """Give the current tenant some projects, begun by its people in turn."""
    for person, (name, (begun, changed, description)) in zip(
        cycle(people), PROJECTS.items(), strict=False
    ):
        changed_at = now() - timedelta(days=changed)
        db.session.add(
            Project(
                name=name,
                description=description,
                created_by=person,
                created_at=now() - timedelta(days=begun),
                updated_at=changed_at,
                archived_at=changed_at if name in ARCHIVED else None,
            )
        )
