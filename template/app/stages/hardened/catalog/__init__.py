"""The catalog: which state a tenant is in, and where its rows are.

    pool      everybody's database of a service
    silo      a database of the tenant's own
    account   one in a cloud account of the tenant's own

auth's database keeps it. `api` reads and changes it there; other services learn what it says with
the identity of whoever asks, or by asking auth.
"""

from importlib import import_module

from flask import Flask

from app import doors

# Each is a module here with an `init_app`; they begin in this order.
PARTS = ("telling", "routing", "states", "again", "visiting")


def init_app(app: Flask) -> None:
    # Auth's process answers for the catalog.
    doors.ADDED[__name__] = "auth"
    models = import_module(f"{__name__}.models")
    identity_changes = import_module("app.stages.services.identity_changes")
    # What is known of a tenant elsewhere ends when its entry changes.
    identity_changes.WATCHED[models.CatalogRow] = ("tenant", "tenant_id", ("changed_at",))
    for part in PARTS:
        import_module(f"{__name__}.{part}").init_app(app)
