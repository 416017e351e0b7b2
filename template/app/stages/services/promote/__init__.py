"""`flask promote`: moves the pooled database of the prototype into the services' databases.

From code: `app.stages.services.promote.run.promote(source_url, targets)`.
"""

from flask import Flask

from app.commands import LoadedLater


def init_app(app: Flask) -> None:
    app.cli.add_command(
        LoadedLater(
            "promote",
            "app.stages.services.promote.command:cli",
            help="Move the pooled database into those of the services.",
        )
    )
