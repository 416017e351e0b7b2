"""An order is packed by the worker, and a delivery hears of it."""

from app.db import db
from app.features.deliveries.models import Delivery
from sqlalchemy import select

API = "/api/v1/orders/"


def test_a_packed_order_becomes_a_delivery(acme, initech):
    order = acme.post(API, json={"name": "Ünïcode & Co"}).json

    assert acme.put(f"{API}{order['id']}/packing").status_code == 202
    acme.work()

    with acme.serving():
        delivery = db.session.scalars(select(Delivery)).one()
        assert (delivery.name, delivery.slug) == (
            "Delivery of Ünïcode & Co",
            "delivery-of-unicode-co",
        )
    assert initech.get("/api/v1/deliveries/").json["items"] == []
