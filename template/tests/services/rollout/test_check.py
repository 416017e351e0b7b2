"""Which migrations the release before can live with. Each is a real file of a real history."""

import shutil
import subprocess

import pytest

from app import migrate
from app.stages.services.rollout import migrations
from app.stages.services.rollout.errors import Refused

FILE = '''"""{title}."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"
branch_labels = None
depends_on = None
{reason}

def upgrade() -> None:
    {upgrade}


def downgrade() -> None:
    pass
'''
TABLE = "projects"


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes the next migration of the team's history."""
    real = migrate.versions_of
    folder = tmp_path / "features"
    shutil.copytree(real("features"), folder)
    monkeypatch.setattr(
        migrate,
        "versions_of",
        lambda package: folder if package == "features" else real(package),
    )

    def make(upgrade: str, title: str = "a change", reason: str = "") -> str:
        (before,) = migrate.heads_of("features")
        revision = f"features_{9001 + len(list(folder.glob('features_9*')))}"
        line = f"contract = {reason!r}\n" if reason else ""
        text = FILE.format(
            title=title, revision=revision, before=before, upgrade=upgrade, reason=line
        )
        (folder / f"{revision}_x.py").write_text(text)
        return revision

    return make


@pytest.fixture
def before():
    return migrations.heads()


ADDS_ONLY = [
    'op.create_table("things", sa.Column("id", sa.Uuid(), nullable=False, primary_key=True))',
    f'op.add_column("{TABLE}", sa.Column("colour", sa.String()))',
    f'op.add_column("{TABLE}", sa.Column("n", sa.Integer(), nullable=False, server_default="0"))',
    f'op.create_index("ix_x", "{TABLE}", ["name"])',
    f'op.drop_index("ix_x", "{TABLE}")',
    f'op.alter_column("{TABLE}", "colour", nullable=True)',
    f'op.alter_column("{TABLE}", "n", existing_type=sa.Integer(), type_=sa.BigInteger())',
    f'op.alter_column("{TABLE}", "x", existing_type=sa.String(10), type_=sa.String(20))',
    f'op.alter_column("{TABLE}", "x", existing_type=sa.String(10), type_=sa.Text())',
    f'op.drop_constraint("fk_x", "{TABLE}", type_="foreignkey")',
    'op.get_bind().execute(sa.text("SELECT 1"))',
    f'op.execute("UPDATE {TABLE} SET name = trim(name)")',
    'op.create_table("t", sa.Column("a", sa.Integer())); op.drop_column("t", "a")',
    'op.create_table("t", sa.Column("a", sa.Text())); op.create_unique_constraint("u", "t", "a")',
    "pass",
]
BREAKS = [
    (f'op.drop_table("{TABLE}")', "drops the table", "no longer uses"),
    (f'op.rename_table("{TABLE}", "plans")', "renames the table", "Keep the name"),
    (f'op.drop_column("{TABLE}", "name")', "drops the column", "no longer mentions name"),
    (
        f'with op.batch_alter_table("{TABLE}") as batch: batch.drop_column("name")',
        "drops the column",
        "no longer mentions name",
    ),
    (
        f'op.alter_column("{TABLE}", "name", new_column_name="title")',
        "renames",
        "Add the new column beside it",
    ),
    (
        f'op.add_column("{TABLE}", sa.Column("n", sa.Integer(), nullable=False))',
        "must be filled and has no default",
        "server_default",
    ),
    (f'op.alter_column("{TABLE}", "name", nullable=False)', "NOT NULL", "always fills name"),
    (
        f'op.alter_column("{TABLE}", "n", existing_type=sa.BigInteger(), type_=sa.Integer())',
        "changes the type",
        "beside it",
    ),
    (
        f'op.alter_column("{TABLE}", "x", existing_type=sa.String(20), type_=sa.String(10))',
        "changes the type",
        "beside it",
    ),
    (f'op.alter_column("{TABLE}", "n", server_default=None)', "default", "fills n itself"),
    (f'op.create_unique_constraint("u", "{TABLE}", ["name"])', "unique constraint", "to the rule"),
    (f'op.create_index("u", "{TABLE}", ["name"], unique=True)', "unique index", "to the rule"),
    (f'op.create_check_constraint("c", "{TABLE}", "n > 0")', "adds a check", "to the rule"),
    (
        f'op.create_foreign_key("f", "{TABLE}", "things", ["a"], ["id"])',
        "a foreign key",
        "to the rule",
    ),
    (f'op.drop_constraint("u", "{TABLE}", type_="unique")', "drops the constraint", "ON CONFLICT"),
    (f'op.execute("ALTER TABLE {TABLE} DROP COLUMN name")', "runs", "Say in `contract`"),
    (f'op.execute("SELECT 1; TRUNCATE {TABLE}")', "runs 'TRUNCATE", "Say in `contract`"),
    (
        f'op.get_bind().execute(sa.text("DELETE FROM {TABLE}"))',
        "runs 'DELETE FROM",
        "Say in `contract`",
    ),
    (
        'op.get_bind().execute(sa.text("SELECT 1")).all()',
        "needs a database",
        "Look at it yourself",
    ),
]


@pytest.mark.parametrize("upgrade", ADDS_ONLY)
def test_what_only_adds_passes(write, before, upgrade):
    revision = write(upgrade)

    (checked,) = migrations.check(before)

    assert (checked.revision, checked.findings) == (revision, ())


@pytest.mark.parametrize(("upgrade", "what", "instead"), BREAKS)
def test_what_the_release_before_cannot_live_with_is_refused(write, before, upgrade, what, instead):
    write(upgrade)

    (checked,) = migrations.check(before)

    assert checked.is_refused
    (finding,) = checked.findings
    said = f"{finding.step}: {finding.why}. {finding.instead}"
    assert what in said
    assert instead in said


def test_a_migration_may_say_why_it_is_meant_so(write, before):
    write(f'op.drop_column("{TABLE}", "name")', reason="nothing has read it since 1.4.0")
    write(f'op.drop_column("{TABLE}", "id")', reason="ok")

    meant, lazy = migrations.check(before)

    assert not meant.is_refused
    assert meant.reason == "nothing has read it since 1.4.0"
    assert lazy.is_refused  # That's no reason.


def test_what_a_new_migration_made_the_next_one_may_change(write, before):
    write(f'op.add_column("{TABLE}", sa.Column("colour", sa.String()))')
    write(f'op.alter_column("{TABLE}", "colour", new_column_name="hue")')

    assert [checked.findings for checked in migrations.check(before)] == [(), ()]


def test_only_what_is_new_is_looked_at(write):
    write(f'op.drop_column("{TABLE}", "name")')

    assert migrations.check(migrations.heads()) == []


def test_older_code_says_that_it_is(before):
    with pytest.raises(Refused, match="of auth that this code doesn't know: auth_9999"):
        migrations.check({**before, "auth": ["auth_9999"]})


def test_the_histories_that_come_along_are_read_whole():
    """From nothing, every migration is new: each can be read without a database."""
    checked = migrations.check({})

    assert {one.package for one in checked} == set(migrate.PACKAGES)
    unreadable = [f for one in checked for f in one.findings if "needs a database" in f.step]
    assert unreadable == []


class TestCommand:
    def run(self, app, *args):
        return app.test_cli_runner().invoke(args=["rollout", "check", *args])

    def test_says_what_to_do(self, app, write):
        write(f'op.drop_column("{TABLE}", "name")', title="Projects have no name")

        done = self.run(app, "--since", "features_0001")

        assert done.exit_code == 1
        assert "features_9001 (Projects have no name): refused" in done.output
        assert f"drops the column {TABLE}.name: the release before still reads" in done.output
        assert (
            "First a release whose code no longer mentions name; the release after" in done.output
        )
        assert 'contract = "..."' in done.output

    def test_compares_with_a_commit(self, app, write, tmp_path):
        folder = migrate.versions_of("features")

        def git(*words):
            who = ["-c", "user.name=T", "-c", "user.email=t@t.test"]
            subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)

        (folder / "notes").mkdir()  # A folder there is no migration.
        (folder / "notes" / "read.me").write_text("Ours.")
        git("init", "-q")
        git("add", ".")
        git("commit", "-qm", "before")
        git("tag", "1.4.0")
        write(f'op.drop_table("{TABLE}")')

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(migrations, "PACKAGES", {"features": "features"})
            done = self.run(app, "--git", "1.4.0")

            assert done.exit_code == 1
            assert "features_9001" in done.output
            assert "git knows no 1.3.0" in self.run(app, "--git", "1.3.0").output

    def test_says_when_nothing_is_new(self, app):
        done = self.run(app, "--since", "features_0001")

        assert (done.exit_code, done.output) == (0, "Migrations: none is new.\n")
