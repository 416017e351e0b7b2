"""What gunicorn does before its first worker starts, and what each worker does first."""

from threading import Thread

from flask import Flask

from app.stages.services import published
from app.stages.services.observe import processes


def prepare() -> None:
    """Let the workers' figures add up."""
    processes.share()


def begin(app: Flask) -> None:
    """Fetch the neighbours' keys beside the first requests, not within them.

    Whoever asks us waits, on one of its threads, until we have its keys; and it has to answer that
    on another one. Many at once, just after a start, would hold all of its threads.
    """
    Thread(target=published.fetch_all, args=(app,), daemon=True).start()
