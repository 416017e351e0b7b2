"""What the worker does for orders."""

from uuid import UUID

from app import events
from app.db import now
from app.features.orders.models import Order
from app.jobs import job
from app.tenancy import get_or_404


@job
def pack_order(order_id: str) -> None:
    """Pack an order; a second run changes nothing."""
    order = get_or_404(Order, UUID(order_id))
    if order.packed_at is None:
        order.packed_at = now()
        events.publish("order.packed", order=order.id, name=order.name)
