"""The kinds of columns that models share."""

from datetime import UTC, datetime, timedelta, timezone

from sqlalchemy import select

from app.auth.models import Organisation
from app.db import db, reading

IN_KABUL = datetime(2026, 3, 1, 2, 15, 0, 123456, tzinfo=timezone(timedelta(hours=4.5)))


def test_a_moment_comes_back_as_the_same_moment(app):
    with app.app_context():
        db.session.add(Organisation(slug="kabul", name="Kabul", created_at=IN_KABUL))
        db.session.commit()

        with reading("auth") as connection:
            moment = connection.scalar(select(Organisation.created_at))

        assert moment == IN_KABUL
        assert moment.tzinfo is UTC
