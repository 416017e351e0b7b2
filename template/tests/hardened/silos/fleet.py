"""A small fleet for the tests: silos, and a release with one more migration than they have."""

from pathlib import Path
from textwrap import dedent, indent
from uuid import UUID, uuid4

import psycopg
from click.testing import Result
from flask import Flask
from sqlalchemy import make_url

from app.stages.hardened.silos import create
from app.stages.hardened.silos.names import Passwords, Silo

MIGRATION = '''"""one more."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{after}"
branch_labels = None
depends_on = None


def upgrade() -> None:
{upgrade}
'''
# Twice, and it fails: that it happened once is seen by its being there.
ONE_TABLE = """
op.create_table("counted", sa.Column("times", sa.Integer()))
op.execute("INSERT INTO counted VALUES (1)")
"""
COUNTED = "SELECT to_regclass('counted') IS NOT NULL"


def write_migration(
    folder: Path, upgrade: str, revision: str = "features_0002", after: str = "features_0001"
) -> None:
    """Write the team's next migration into a folder."""
    body = indent(dedent(upgrade).strip(), "    ")
    text = MIGRATION.format(revision=revision, after=after, upgrade=body)
    (folder / f"{revision}_one_more.py").write_text(text)


def plain(url: str) -> str:
    found = make_url(url).set(drivername="postgresql")
    return found.render_as_string(hide_password=False)


def ask(url: str, question: str) -> object:
    with psycopg.connect(plain(url)) as connection:
        found = connection.execute(question)
        while found.nextset():
            pass
        return found.fetchone()[0]


class Fleet:
    """Some silos of one service, and `flask silos` over all there are."""

    def __init__(self, app: Flask, admin: str) -> None:
        self.app = app
        self.admin = admin
        self.silos: list[Silo] = []

    def make(self, count: int, service: str = "features") -> list[Silo]:
        made = [self.make_one(service, uuid4()) for _ in range(count)]
        return sorted(made, key=lambda silo: silo.database)

    def make_one(self, service: str, tenant_id: UUID) -> Silo:
        silo = create.make(self.admin, service, tenant_id, Passwords.new())
        self.silos.append(silo)
        return silo

    def drop(self, *silos: Silo) -> None:
        for silo in silos:
            create.drop(self.admin, silo.service, silo.tenant_id)

    def run(self, *arguments: str) -> Result:
        return self.app.test_cli_runner().invoke(args=["silos", *arguments])

    def migrated(self) -> list[Silo]:
        return [silo for silo in self.silos if ask(silo.owner_url, COUNTED)]
