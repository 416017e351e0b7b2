"""Savepoints: what happens in one is undone with the transaction around it."""

from sqlalchemy import select

from app import audit
from app.audit import AuditRow
from app.db import db


def test_what_a_savepoint_kept_is_undone_with_the_whole(acme):
    with acme.serving():
        with db.session.begin_nested():
            audit.note("regretted")
        db.session.rollback()

        assert (
            db.session.scalars(select(AuditRow).where(AuditRow.action == "regretted")).all() == []
        )
