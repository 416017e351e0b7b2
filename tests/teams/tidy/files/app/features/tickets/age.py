"""How old a ticket is, in words."""

from datetime import datetime

import humanize
from app.features.tickets.models import Ticket


def age_of(ticket: Ticket, at: datetime) -> str:
    """Such as "3 days"."""
    return humanize.naturaldelta(at - ticket.created_at)
