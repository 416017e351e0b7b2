"""Events between services: from each outbox through Redis streams to whoever listens.

    publish → outbox → relay → stream → consumer → listener and inbox

With SERVES=all everybody lives in one process and the queue carries events, as in the prototype.
"""

from flask import Flask

from app import queue
from app.commands import LoadedLater
from app.stages.services.events import deeds, streams
from app.stages.services.events.consumer import Consumer
from app.stages.services.events.relay import Relay, Waker


def init_app(app: Flask) -> None:
    app.cli.add_command(
        LoadedLater(
            "events",
            f"{__name__}.commands:cli",
            help="Events: what waits, what is dead, and how to try it again.",
        )
    )
    if app.config["SETTINGS"].serves == "all":
        return
    app.extensions["transport"] = "streams"
    streams.init_app(app)
    app.extensions["tasks"]["deliver_event"] = Waker(app)
    queue.add_companion(app, Relay(app))
    queue.add_companion(app, Consumer(app))
    deeds.init_app(app)
