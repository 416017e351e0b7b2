"""Health: is the process alive, and can it serve? For load balancers, not for people."""

import mmap

from flask import Blueprint, Flask, current_app
from sqlalchemy import text

from app.access import public
from app.db import PACKAGES, db

bp = Blueprint("health", __name__)

# Whether we are about to stop: one byte that gunicorn and its workers share.
LEAVING = mmap.mmap(-1, 1)


def init_app(app: Flask) -> None:
    """A later stage may have more to look at before we say we can serve: `ok`, or what is wrong.

    `refusals` are callables that look at the same before a process starts to serve or to work, and
    raise `SystemExit` where it must not.
    """
    app.extensions["ready_checks"] = {}
    app.extensions["refusals"] = []
    app.register_blueprint(bp)


def refuse_to_start(app: Flask) -> None:
    """End the process that is about to serve or to work, if a later stage says it must not."""
    with app.app_context():
        for look in app.extensions["refusals"]:
            look(app)


@bp.get("/healthz")
@public
def live():
    """The process takes requests. It says nothing about the database, or a short outage of it
    would make an orchestrator restart every replica."""
    return ({"status": "leaving"}, 503) if is_leaving() else {"status": "ok"}


@bp.get("/readyz")
@public
def ready():
    """The process can serve: every database answers and has the tables that this code needs."""
    from app.migrate import pending  # Alembic is slow to import.

    if is_leaving():
        return {"status": "leaving", "checks": {}}, 503
    checks = {"database": check_databases()}
    if checks["database"] == "ok":
        checks["migrations"] = "ok" if not pending(current_app) else "flask db upgrade is due"
        for name, look in current_app.extensions["ready_checks"].items():
            checks[name] = look(current_app)
    good = set(checks.values()) == {"ok"}
    return {"status": "ok" if good else "not ready", "checks": checks}, 200 if good else 503


def leave() -> None:
    """Say from now on that nothing new should come here."""
    LEAVING[0] = 1


def is_leaving() -> bool:
    return LEAVING[0] == 1


def check_databases() -> str:
    try:
        for package in current_app.extensions["serves"]:
            with db.reader(PACKAGES[package]).connect() as connection:
                connection.execute(text("SELECT 1"))
    except Exception as error:
        return f"away: {type(error).__name__}"
    return "ok"
