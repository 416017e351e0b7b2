"""Moving a living tenant between the pool and a silo, with PostgreSQL's logical replication.

`moves` is what operators do, `mover` the steps, `fence` the rule of who serves; `healing` decides
a switch whose mover died. A picture of it is in docs/hardened/moving.md.
"""

from importlib import import_module

from flask import Flask

from app import doors, queue


def init_app(app: Flask) -> None:
    import_module(f"{__name__}.models")  # The migrations are made of all models there are.
    # Auth knows the tenants and where they are, so its process answers for moves.
    doors.ADDED[__name__] = "auth"
    app.register_blueprint(import_module(f"{__name__}.views").bp)
    app.register_blueprint(import_module(f"{__name__}.api").api)
    settings = app.config["SETTINGS"]
    if settings.serves == "auth" and settings.database_url_of("auth").startswith("postgresql"):
        healing = import_module(f"{__name__}.healing")
        queue.add_companion(app, healing.Healer(app))
