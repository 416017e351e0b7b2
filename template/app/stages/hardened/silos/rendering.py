"""Migrations as text: Alembic writes the SQL from one version to this code's once, and a thousand
silos get just that, which takes each a fraction of the time.

What asks the database something can't be written down beforehand: such a migration is run by
Alembic itself, silo by silo (`Script.in_process` says why).
"""

import hashlib
import re
from dataclasses import dataclass
from io import StringIO
from typing import Any, cast

from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.schema import ExecutableDDLElement

from app.migrate import config_of
from app.stages.hardened.silos.versions import heads_from

COMMITS = re.compile(r"^(COMMIT|BEGIN);$", re.MULTILINE)


class NeedsDatabase(Exception):
    """A migration does something that depends on what is in the database."""


@dataclass(frozen=True, slots=True)
class Script:
    """What brings a service's silo from one version to this code's."""

    service: str
    version: str
    sql: str
    in_process: str = ""
    commits: bool = False
    is_ahead: bool = False

    @property
    def digest(self) -> str:
        """What was written down, in short: the same migrations have the same."""
        return hashlib.sha256(f"{self.sql}\n{self.in_process}".encode()).hexdigest()

    @property
    def is_nothing(self) -> bool:
        return not self.sql and not self.in_process


def script_for(service: str, version: str) -> Script:
    """Write down what a silo of that version needs; nothing, where a newer release migrated it."""
    parts = []
    for package, heads in heads_from(version).items():
        try:
            parts.append(rendered(package, heads))
        except UnknownVersion:
            return Script(service, version, "", is_ahead=True)
        except Exception as error:  # Whatever a migration does that it can't do without rows.
            why = f"{package}: {type(error).__name__}: {error}"
            return Script(service, version, "", in_process=why)
    text = "\n".join(filter(None, parts))
    if COMMITS.search(text):
        why = "a migration commits in between (autocommit_block)"
        return Script(service, version, "", in_process=why, commits=True)
    return Script(service, version, text)


class UnknownVersion(Exception):
    """The silo has a migration that this code doesn't know."""


def rendered(package: str, heads: tuple[str, ...]) -> str:
    """The SQL of a package's migrations from these heads on."""
    config = config_of(package)
    scripts = ScriptDirectory.from_config(config)
    known = {script.revision for script in scripts.walk_revisions()}
    if not set(heads) <= known:
        raise UnknownVersion
    if set(heads) == set(scripts.get_heads()):
        return ""
    written = StringIO()

    def steps(found: Any, _context: Any) -> Any:
        return scripts._upgrade_revs("heads", found)  # As Alembic's own command does.

    with EnvironmentContext(config, scripts, fn=steps, as_sql=True) as environment:
        environment.configure(
            dialect_name="postgresql",
            dialect_opts={"paramstyle": "named"},
            literal_binds=True,
            output_buffer=written,
            starting_rev=cast(Any, heads) or None,
            version_table=f"alembic_version_{package}",
        )
        refuse_questions(cast(Any, environment.get_context().connection))
        environment.run_migrations()
    return written.getvalue().strip()


def refuse_questions(connection: Connection) -> None:
    """Alembic's stand-in for a connection answers nothing to a question, and forgets parameters."""
    execute = connection.execute

    def only_tables(statement: Any, *given: Any, **named: Any) -> Any:
        if not isinstance(statement, ExecutableDDLElement):
            raise NeedsDatabase("it asks the database for something")
        return execute(statement, *given, **named)

    connection.execute = only_tables  # type: ignore[method-assign]
