"""What a target remembers of its promote, in the same transactions as the rows: how far each table
is, and what was taken down for the time being. So a promote that is killed goes on where it was."""

import json
from dataclasses import dataclass

from app.stages.services.promote.shapes import Key
from app.stages.services.promote.side import Side

MAKE = (
    (
        "CREATE TABLE IF NOT EXISTS _promote_run (service text PRIMARY KEY, source text NOT NULL, "
        "phase text NOT NULL, note text NOT NULL)"
    ),
    (
        "CREATE TABLE IF NOT EXISTS _promote_progress (name text PRIMARY KEY, done_key text, "
        "rows_done bigint NOT NULL, complete integer NOT NULL)"
    ),
    (
        "CREATE TABLE IF NOT EXISTS _promote_later (place integer PRIMARY KEY, "
        "turn integer NOT NULL, statement text NOT NULL)"
    ),
)
TABLES = ("_promote_run", "_promote_progress", "_promote_later")

# Turns in which things are put back: right after the first pass, and from here on at the end.
SOON, AT_THE_END, LAST = 0, 1, 9
PREPARING, COPYING, COPIED, FINISHED = "preparing", "copying", "copied", "finished"


@dataclass(frozen=True, slots=True)
class Run:
    """A promote as one of its targets knows it."""

    service: str
    source: str
    phase: str
    note: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a table is: the key of the last row, how many there were, whether that's all."""

    key: Key | None = None
    rows: int = 0
    complete: bool = False


class Ledger:
    """The notes in one target."""

    def __init__(self, side: Side) -> None:
        self.side = side

    def run(self) -> Run | None:
        """The promote that this database is the target of, if it's any's."""
        if "_promote_run" not in self.side.all_tables():
            return None
        found = self.side.rows("SELECT service, source, phase, note FROM _promote_run")
        return Run(*found[0]) if found else None

    def begin(self, service: str, source: str) -> None:
        """Say whose this database is, before anything is made in it."""
        with self.side.transaction():
            for statement in MAKE:
                self.side.execute(statement)
            self.side.execute(
                "INSERT INTO _promote_run VALUES (%s, %s, %s, '')", service, source, PREPARING
            )

    def enter(self, phase: str, note: str = "") -> None:
        self.side.execute("UPDATE _promote_run SET phase = %s, note = %s", phase, note)

    def progress(self, table: str) -> Progress:
        asked = "SELECT done_key, rows_done, complete FROM _promote_progress WHERE name = %s"
        found = self.side.rows(asked, table)
        if not found:
            return Progress()
        key, rows, complete = found[0]
        return Progress(tuple(json.loads(key)) if key else None, rows, bool(complete))

    def reached(self, table: str, progress: Progress) -> None:
        """Note how far a table is, within the transaction of its rows."""
        key = None if progress.key is None else json.dumps(progress.key)
        self.side.execute(
            "INSERT INTO _promote_progress VALUES (%s, %s, %s, %s) ON CONFLICT (name) DO UPDATE "
            "SET done_key = excluded.done_key, rows_done = excluded.rows_done, "
            "complete = excluded.complete",
            table,
            key,
            progress.rows,
            int(progress.complete),
        )

    def rows_done(self) -> int:
        return int(
            self.side.rows("SELECT coalesce(sum(rows_done), 0) FROM _promote_progress")[0][0]
        )

    def put_off(self, statements: list[tuple[int, str]]) -> None:
        """Keep the statements that put back what was taken down."""
        asked = "SELECT coalesce(max(place) + 1, 0) FROM _promote_later"
        first = int(self.side.rows(asked)[0][0])
        for place, (turn, statement) in enumerate(statements, start=first):
            self.side.execute(
                "INSERT INTO _promote_later VALUES (%s, %s, %s)", place, turn, statement
            )

    def put_back(self, last_turn: int) -> None:
        """Put back what was taken down, up to a turn; each statement with the note that it ran."""
        later = self.side.rows(
            "SELECT place, statement FROM _promote_later WHERE turn <= %s ORDER BY turn, place",
            last_turn,
        )
        for place, statement in later:
            with self.side.transaction():
                self.side.execute(statement)
                self.side.execute("DELETE FROM _promote_later WHERE place = %s", place)

    def forget(self) -> None:
        for table in TABLES:
            self.side.execute(f"DROP TABLE IF EXISTS {table}")
