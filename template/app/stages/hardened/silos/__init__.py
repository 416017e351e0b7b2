"""Silos: a database of its own for one tenant's rows of one service.

`create.make` makes one and `create.drop` removes it, on the server of SILO_ADMIN_DATABASE_URL;
`flask silos` brings all of them to the migrations of the code.
"""

from importlib import import_module

from flask import Flask

from app.commands import LoadedLater
from app.stages.hardened.silos.figures import of_silos


def init_app(app: Flask) -> None:
    import_module(f"{__name__}.models")  # The migrations are made of all models there are.
    if "auth" in app.extensions["serves"]:
        app.extensions.setdefault("metrics_sources", {})["silos"] = of_silos
    app.cli.add_command(
        LoadedLater(
            "silos",
            "app.stages.hardened.silos.command:cli",
            help="Look after the databases that one workspace has for itself.",
        )
    )
