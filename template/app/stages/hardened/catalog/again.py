"""A request that met a tenant's old place starts over, once, at the new one.

The database says so as a transaction begins (TN001), so nothing was read or written there. If the
request has committed something elsewhere before, or its body can't be read twice, whoever sent it
is asked to come again.
"""

from typing import Any

import structlog
from flask import Flask, current_app, g, has_request_context, request
from sqlalchemy import Connection, event

from app.db import Pair, db, tune_engines
from app.stages.hardened.catalog import knowing
from app.stages.hardened.catalog.health import SiloAway
from app.stages.hardened.walls.transactions import Elsewhere, answer_soon
from app.tenancy import tenant_or_none

log = structlog.get_logger()


def init_app(app: Flask) -> None:
    app.register_error_handler(Elsewhere, start_over)
    app.register_error_handler(SiloAway, answer_soon)
    tune_engines(app, note_commits)


def note_commits(pair: Pair) -> None:
    event.listen(pair.writer, "commit", note_commit)


def note_commit(_connection: Connection) -> None:
    if has_request_context():
        g.has_committed = True


def start_over(error: Elsewhere) -> Any:
    """Answer from where the tenant is now; else say when to come again."""
    tenant = tenant_or_none()
    if tenant is None:
        return answer_soon(error)
    knowing.look_again(tenant.id)
    if g.get("starts_over") or g.get("has_committed") or not may_be_read_again():
        return answer_soon(error)
    g.starts_over = True
    log.info("starts over", reason=str(error))
    db.session.remove()
    try:
        return current_app.dispatch_request()
    except Exception as failure:
        return current_app.handle_user_exception(failure)


def may_be_read_again() -> bool:
    """Whether the view finds the request's body as it did the first time."""
    for file in request.files.values() if "files" in request.__dict__ else ():
        file.stream.seek(0)
    untouched = not request.content_length and "Transfer-Encoding" not in request.headers
    return untouched or bool({"form", "files"} & request.__dict__.keys()) or has_cached_body()


def has_cached_body() -> bool:
    return getattr(request, "_cached_data", None) is not None
