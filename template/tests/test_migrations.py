"""Migrations: two people write one at the same time, two releases stand beside each other."""

import pytest
from alembic.util import CommandError
from sqlalchemy import text

from app import migrate
from app.db import PACKAGES, db


def test_two_migrations_of_one_number_are_refused(app, monkeypatch, tmp_path):
    """Each came from a branch of its own, so git saw no conflict; one of them would never run."""
    for name in ("features_0002_colours.py", "features_0002_sizes.py"):
        (tmp_path / name).write_text('revision = "features_0002"\ndown_revision = None\n')
    monkeypatch.setattr(migrate, "versions_of", lambda _package: tmp_path)

    with pytest.raises(CommandError, match=r"colours.py and features_0002_sizes.py are both"):
        migrate.upgrade(app, "features")


@pytest.fixture
def migrated_by_a_newer_release(app):
    """The features' tables, as the next release's migration leaves them."""
    tables = text("UPDATE alembic_version_features SET version_num = :now WHERE version_num = :old")
    (head,) = migrate.heads_of("features")
    with app.app_context():
        engine = db.engines[PACKAGES["features"]]
    with engine.begin() as connection:
        connection.execute(tables, {"now": "features_9999", "old": head})
    yield
    with engine.begin() as connection:
        connection.execute(tables, {"now": head, "old": "features_9999"})


@pytest.mark.usefixtures("migrated_by_a_newer_release")
def test_a_release_goes_on_when_a_newer_one_has_migrated(app):
    """Else each release would take the one before it out of service, before it is there itself."""
    answer = app.test_client().get("/readyz")

    assert answer.json["checks"]["migrations"] == "ok"
    assert answer.status_code == 200


@pytest.mark.usefixtures("migrated_by_a_newer_release")
def test_an_older_releases_upgrade_leaves_newer_tables_alone(app):
    """Going back to a release runs its migrations again."""
    done = app.test_cli_runner().invoke(args=["db", "upgrade"])

    assert done.exit_code == 0, done.output
    assert "features: a newer release has migrated it" in done.output
