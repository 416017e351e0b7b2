"""What is done to whole tenants: made, suspended, exported, restored, deleted; by operators."""

from importlib import import_module

from flask import Flask

from app import doors
from app.commands import LoadedLater

# The modules whose commands `flask tenant` has. Each adds them to `group.cli` when it's imported:
# another part of the stage that brings one adds a line here.
COMMANDS = (
    "app.stages.hardened.lifecycle.showing",
    "app.stages.hardened.lifecycle.archive.commands",
    "app.stages.hardened.moving.command",
    "app.stages.hardened.lifecycle.creating",
    "app.stages.hardened.lifecycle.placement.commands",
    "app.stages.hardened.lifecycle.suspending",
    "app.stages.hardened.lifecycle.rotating",
    "app.stages.hardened.lifecycle.deletion.commands",
    "app.stages.hardened.lifecycle.operations",
)


def init_app(app: Flask) -> None:
    import_module(f"{__name__}.models")  # The migrations are made of all models there are.
    # Auth knows the tenants, so its process answers for them and does this work.
    doors.ADDED[__name__] = "auth"
    app.register_blueprint(import_module(f"{__name__}.views").bp)
    app.register_blueprint(import_module(f"{__name__}.api").api)
    app.cli.add_command(
        LoadedLater(
            "tenant",
            "app.stages.hardened.lifecycle.command:cli",
            help="Look after tenants: make, suspend, export, restore, move, delete them.",
        )
    )
