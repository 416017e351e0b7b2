"""A tenant's transaction: the message that begins it says whose it is, and ends with it.

The driver begins nothing by itself here. We send `BEGIN; CALL hardened.enter(...)` in one
message, so that the tenant costs no round trip, and nothing of it outlives the transaction: the
next client of a pooled connection, ours or PgBouncer's, finds nothing set.
"""

import time
from typing import Any
from uuid import UUID

import psycopg
from flask import Flask, current_app
from psycopg.pq import DiagnosticField, ExecStatus, TransactionStatus
from sqlalchemy import Connection, event

from app import errors
from app.db import Pair, tune_engines
from app.errors import Unavailable
from app.tenancy import WrongTenant, tenant_or_none

GOOD = {ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK}
OPEN = {TransactionStatus.INTRANS, TransactionStatus.INERROR}
PAUSE_SECONDS, PATIENCE_SECONDS = 0.02, 3.0
RETRY_AFTER_SECONDS = 2
HERE = "tenant"
# `info` of a connection outlives its transactions, so each one writes there whose it is.
LATE = "tenant_came_late"


class Elsewhere(Unavailable):
    """The tenant's data are not in this database, or not as whoever asked believes."""


class BeingMoved(Unavailable):
    """The tenant is fenced: its data are on their way, and it's a matter of seconds."""


REFUSALS = {
    b"TN001": (Elsewhere, "The data of this workspace have just moved."),
    b"TN003": (BeingMoved, "The data of this workspace are being moved right now."),
}


def init_app(app: Flask) -> None:
    """Let each pair of engines begin its transactions as their tenant's."""
    # Where the catalog knows more, it says at which epoch a tenant is placed.
    app.extensions.setdefault("epoch_of", lambda _tenant_id: 0)
    app.extensions.setdefault("not_here", lambda _tenant_id: None)
    app.register_error_handler(Elsewhere, answer_soon)
    app.register_error_handler(BeingMoved, answer_soon)
    tune_engines(app, tune)


def answer_soon(error: Unavailable) -> Any:
    """A 503 that says when to come again."""
    response = errors.answer_unavailable(error)
    response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def tune(pair: Pair) -> None:
    if pair.writer.dialect.name != "postgresql":
        return
    event.listen(pair.writer, "connect", leave_transactions_to_us)
    event.listen(pair.writer, "begin", begin)
    event.listen(pair.reader, "begin", begin_reading)
    for engine in pair:
        event.listen(engine, "before_cursor_execute", keep_to_the_tenant)
        event.listen(engine, "rollback_savepoint", forget_who_came_late)


def leave_transactions_to_us(connection: Any, _record: Any) -> None:
    connection.autocommit = True


def tenant_here() -> UUID | None:
    """The tenant in context; none outside of any, as where tools are."""
    try:
        tenant = tenant_or_none()
    except RuntimeError:  # Outside of any context.
        return None
    return tenant.id if tenant is not None else None


def begin(connection: Connection) -> None:
    """Begin a transaction: the tenant's, or nobody's, in which only shared rows are visible."""
    tenant_id = tenant_here()
    forget(connection)
    if tenant_id is None:
        say(connection, "BEGIN")
    else:
        enter(connection, tenant_id, "BEGIN; ")


def begin_reading(connection: Connection) -> None:
    """A reader has no transactions, but a tenant's rows are seen in one only."""
    tenant_id = tenant_here()
    forget(connection)
    if tenant_id is not None:
        enter(connection, tenant_id, "BEGIN; ")


def forget(connection: Connection) -> None:
    info = connection.info
    info[HERE] = None
    info.pop(LATE, None)


def keep_to_the_tenant(connection: Connection, *_statement: Any) -> None:
    """A transaction may begin before its tenant is known, but it has one only."""
    tenant_id = tenant_here()
    here = connection.info.get(HERE)
    if tenant_id == here or tenant_id is None:
        return
    if here is not None:
        raise WrongTenant(
            "A transaction serves one tenant: commit, or use `with serving(tenant):`."
        )
    raw: Any = connection.connection.dbapi_connection
    if raw.pgconn.transaction_status == TransactionStatus.INERROR:
        return  # All that it understands is the way back.
    enter(connection, tenant_id, "" if in_transaction(raw) else "BEGIN; ")
    connection.info[LATE] = True


def forget_who_came_late(connection: Connection, *_savepoint: Any) -> None:
    """To go back to a savepoint takes back what was set after it: say it again if need be."""
    if connection.info.pop(LATE, False):
        connection.info[HERE] = None


def enter(connection: Connection, tenant_id: UUID, before: str) -> None:
    """Say whose transaction this is; wait for a tenant that is being moved, but not for long."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while True:
        epoch = int(current_app.extensions["epoch_of"](tenant_id))
        try:
            say(connection, f"{before}CALL hardened.enter('{tenant_id}', {epoch})")
        except Elsewhere:
            current_app.extensions["not_here"](tenant_id)
            raise
        except BeingMoved:
            if not before or time.monotonic() > give_up_at:
                raise
            time.sleep(PAUSE_SECONDS)
        else:
            connection.info[HERE] = tenant_id
            return


def say(connection: Connection, message: str) -> None:
    """Send a message past the driver's cursors, which would take several times as long."""
    raw: Any = connection.connection.dbapi_connection
    state = attempt(raw, message)
    if state is None:
        return
    if in_transaction(raw):
        raw.rollback()
    if state in REFUSALS:
        refusal, words = REFUSALS[state]
        raise refusal(words)
    # Said once more in the usual way, it fails in the usual way: a server that is away included.
    connection.info[HERE] = tenant_here()
    connection.exec_driver_sql(message)


def attempt(raw: Any, message: str) -> bytes | None:
    """The SQLSTATE that a message was refused with, or nothing if it was understood."""
    try:
        result = raw.pgconn.exec_(message.encode())
    except psycopg.Error:
        return b""
    return None if result.status in GOOD else result.error_field(DiagnosticField.SQLSTATE) or b""


def in_transaction(raw: Any) -> bool:
    return raw.pgconn.transaction_status in OPEN
