"""Some orders and deliveries in each workspace of the demo."""

from app import create_app
from app.auth import all_tenants
from app.db import db, new_id
from app.features.deliveries.models import Delivery
from app.features.orders.models import Order
from app.tenancy import serving

with create_app({"app_env": "development"}).app_context():
    for tenant in list(all_tenants()):
        with serving(tenant):
            somebody = new_id()
            for number in range(200):
                db.session.add(Order(name=f"{tenant.name} order {number}", created_by=somebody))
                db.session.add(
                    Delivery(name=f"Parcel {number}", slug=f"parcel-{number}", created_by=somebody)
                )
            db.session.commit()
