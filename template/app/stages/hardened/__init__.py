"""The hardened stage: isolation in depth, roles per tenant, tenants that commands look after."""

from importlib import import_module

from flask import Flask

# Each is a module here with an `init_app`; they begin in this order.
PARTS: tuple[str, ...] = (
    "walls",
    "catalog",
    "rbac",
    "lifecycle",
    "moving",
    "throttle",
    "signin",
    "silos",
    "accounts",
    "attack",
    "monitoring",
)


def init_app(app: Flask) -> None:
    for part in PARTS:
        import_module(f"{__name__}.{part}").init_app(app)
