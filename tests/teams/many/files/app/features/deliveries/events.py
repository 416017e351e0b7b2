"""What deliveries hear of."""

from app.db import db
from app.events import Event, on
from app.features.deliveries.models import Delivery
from slugify import slugify


@on("order.packed")
def deliver(event: Event) -> None:
    """A packed order is delivered."""
    name = f"Delivery of {event.facts['name']}"
    db.session.add(Delivery(name=name, slug=slugify(name), created_by=event.actor_id))
