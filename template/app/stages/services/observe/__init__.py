"""What can be seen of a service from outside: how much it does, how well, and for whom.

With SERVES=all nothing of this runs: no gateway stands before that process to hide `/metrics`.
"""

from importlib import import_module

from flask import Flask

PARTS = ("requests", "work", "page", "traces")


def init_app(app: Flask) -> None:
    if app.config["SETTINGS"].serves == "all":
        return
    for part in PARTS:  # Late: the parts of the stage that are watched import `names` from here.
        import_module(f"{__name__}.{part}").init_app(app)
