"""The services stage: each package may be a process of its own, with a database of its own."""

from importlib import import_module

from flask import Flask

PARTS = (
    "keys",
    "published",
    "proof",
    "client",
    "internal",
    "guard",
    "identity",
    "events",
    "observe",
    "gateway",
    "promote",
    "rollout",
)


def init_app(app: Flask) -> None:
    for part in PARTS:
        import_module(f"{__name__}.{part}").init_app(app)
