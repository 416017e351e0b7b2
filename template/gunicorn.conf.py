"""How gunicorn runs the application: `gunicorn` reads this file and needs no arguments.

Processes and threads are WEB_CONCURRENCY and THREADS. Where it listens: 127.0.0.1:8000, or all
addresses with PORT set, as containers and platforms have it.
"""

import os
import signal
from importlib import import_module
from threading import Timer
from typing import Any

from app import health, logs, queue, settings, stage

given = settings.load()  # A bad setting is said once, and nothing starts.
if found := stage.module_of("serving"):
    import_module(found).prepare()

wsgi_app = "app:create_app()"
worker_class = "gthread"
workers = given.web_concurrency
threads = given.threads

# Who is trusted with X-Forwarded-* is TRUSTED_PROXIES alone.
forwarded_allow_ips = ""

# Heartbeats in memory: on a busy disk a healthy worker looks dead.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108
control_socket_disable = True

# Longer than a load balancer's, so that it never sends on a connection that we just closed.
keepalive = 75
# Requests under way and the job of the moment may end, within what orchestrators wait (30 s).
graceful_timeout = 20

# The application logs each request, with more than an access log knows.
accesslog = None
logconfig_dict = logs.of_libraries(given)


def when_ready(server: Any) -> None:
    """Told to stop, say so first, so that whoever sends us requests can look elsewhere."""
    if not given.drain_seconds:
        return

    def leave(number: int, _frame: Any) -> None:
        if health.is_leaving():  # Told a second time: at once.
            server.signal(number, None)
            return
        health.leave()
        Timer(given.drain_seconds, server.signal, (number, None)).start()

    signal.signal(signal.SIGTERM, leave)


def post_worker_init(worker: Any) -> None:
    """Each process runs jobs beside its requests, unless WORKER=separate."""
    if found:
        import_module(found).begin(worker.app.callable)
    worker.consumer = queue.start_embedded(worker.app.callable)


def worker_exit(_server: Any, worker: Any) -> None:
    """Let the job that runs come to its end."""
    consumer = getattr(worker, "consumer", None)
    if consumer is not None:
        consumer.stop(graceful=True)
