"""Moving a living tenant between the pool and a silo, with PostgreSQL's logical replication.

`moves` is what operators do, `mover` the steps, `fence` the rule of who serves. A picture of it is
in docs/hardened/moving.md.
"""

from importlib import import_module

from flask import Flask

from app import doors


def init_app(app: Flask) -> None:
    import_module(f"{__name__}.models")  # The migrations are made of all models there are.
    # Auth knows the tenants and where they are, so its process answers for moves.
    doors.ADDED[__name__] = "auth"
