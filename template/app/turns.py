"""Turns: what two requests of a tenant must not do at the same moment."""

import hashlib

from sqlalchemy import func, select

from app.db import begin_writing, db
from app.tenancy import key


def take_turns(what: str) -> None:
    """Let the tenant's transactions pass here one at a time; the next one enters at the commit.

    Call it before you count what you are about to add to: `take_turns("projects")`.
    """
    connection = db.session.connection(bind_arguments={"bind": db.writer(None)})
    if connection.dialect.name == "postgresql":
        digest = hashlib.blake2b(key("turn", what).encode(), digest_size=8).digest()
        lock = int.from_bytes(digest, signed=True)
        connection.execute(select(func.pg_advisory_xact_lock(lock)))
    else:
        begin_writing(connection)  # Before we look, not after.
