"""What a way to take money must be able to do, and which one takes it here."""

from datetime import timedelta
from typing import Protocol

from flask import current_app

from app.billing.models import Subscription
from app.billing.plans import Plan
from app.billing.subscriptions import look_again_at
from app.db import db, now
from app.errors import Refused, Unavailable

PATIENCE = timedelta(minutes=10)


class NothingToDo(Refused):
    """The subscription is like that already."""

    title = "Nothing to change"


class Payments(Protocol):
    """A way to take money. Each call is about the current tenant and commits what it changes.

    Raises `Unavailable` when the provider doesn't answer; nothing has changed then.
    """

    name: str
    is_ready: bool
    has_portal: bool
    wants_usage: bool

    def subscribe(self, plan: Plan) -> str | None:
        """Begin to pay for a plan; answers where the person pays, or None if all is done."""

    def change(self, plan: Plan) -> None:
        """Move a running subscription to another plan; the difference is billed by the day."""

    def cancel(self) -> None:
        """End the subscription with what is paid for."""

    def resume(self) -> None:
        """Take a cancellation back before it takes effect."""

    def portal(self) -> str:
        """Where the person changes card and address."""

    def refresh(self) -> None:
        """Learn how things stand: what is due, what the provider knows. Safe to repeat."""

    def report(self) -> None:
        """Tell the provider what was used and not yet told. Safe to repeat."""


def payments() -> Payments:
    """The driver that takes money here."""
    driver: Payments = current_app.extensions["payments"]
    return driver


def is_running(row: Subscription | None) -> bool:
    """Whether the driver that takes money here bills this subscription."""
    return row is not None and row.provider == payments().name and row.status != "ended"


def or_later(work: str) -> None:
    """Let the driver `refresh` or `report`; if the provider is away, see that it's asked again."""
    try:
        getattr(payments(), work)()
    except Unavailable:
        db.session.rollback()
        look_again_at(now() + PATIENCE)
        db.session.commit()
