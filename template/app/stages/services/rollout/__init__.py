"""`flask rollout`: a release goes to the tenants in waves, and comes back by itself if it's bad.

What is where: `waves.py` who comes when, `store.py` what is remembered, `gates.py` what is good
enough, `sources.py` who measures, `driver.py` what happens next, `pins.py` and `follower.py` what
the gateway does, `migrations.py` what the release before can live with.
"""

from flask import Flask

from app.commands import LoadedLater


def init_app(app: Flask) -> None:
    app.cli.add_command(
        LoadedLater(
            "rollout",
            "app.stages.services.rollout.command:cli",
            help="Bring a release to the tenants in waves.",
        )
    )
