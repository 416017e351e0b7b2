"""Migrations: what goes wrong when two people write one at the same time."""

import pytest
from alembic.util import CommandError

from app import migrate


def test_two_migrations_of_one_number_are_refused(app, monkeypatch, tmp_path):
    """Each came from a branch of its own, so git saw no conflict; one of them would never run."""
    for name in ("features_0002_colours.py", "features_0002_sizes.py"):
        (tmp_path / name).write_text('revision = "features_0002"\ndown_revision = None\n')
    monkeypatch.setattr(migrate, "versions_of", lambda _package: tmp_path)

    with pytest.raises(CommandError, match=r"colours.py and features_0002_sizes.py are both"):
        migrate.upgrade(app, "features")
