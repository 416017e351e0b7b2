"""A note beside git's own files, while a climb writes: who finds it knows that one was cut off."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from scripts.stage.project import PROJECT, NoClimb, git, uncommitted


@dataclass(frozen=True)
class Note:
    """A climb: to where, from which commit, and whether it came to its end."""

    to: str
    head: str
    process: int
    whole: bool = False

    @property
    def is_running(self) -> bool:
        return not self.whole and is_alive(self.process)

    def write(self) -> "Note":
        place().write_text(json.dumps(asdict(self)), "utf-8")
        return self


def place() -> Path:
    """In git's folder, so that it's never part of the project; one for each project there."""
    inner = git(PROJECT, "rev-parse", "--show-prefix").strip("/").replace("/", "-")
    name = "-".join(filter(None, ["stage-climb", inner]))
    return PROJECT / git(PROJECT, "rev-parse", "--git-path", name)


def find() -> Note | None:
    """The note of a climb that nobody has committed or taken back yet."""
    with suppress(FileNotFoundError, ValueError, TypeError):
        found = Note(**json.loads(place().read_text("utf-8")))
        if uncommitted() and found.head == git(PROJECT, "rev-parse", "HEAD"):
            return found
        place().unlink()  # It was committed, or taken back by hand.
    return None


@contextmanager
def kept(to: str) -> Iterator[None]:
    """Keep the note while the project is written to; what fails is taken back at once."""
    begun = Note(to, git(PROJECT, "rev-parse", "HEAD"), os.getpid()).write()
    try:
        yield
    except BaseException:
        take_back()
        raise
    replace(begun, whole=True).write()


def refuse_if_cut_off() -> None:
    """Say what happened to a climb that was killed, and what to do."""
    note = find()
    if note is None:
        return
    if note.is_running:
        raise NoClimb(
            f"A climb to {note.to} is running (process {note.process}). Let it end first; if "
            f"that is no climb, delete {place()}."
        )
    if note.whole:
        raise NoClimb(
            f"The climb to {note.to} isn't committed yet. Commit it, or take it back with "
            "`flask stage undo`, before the next one."
        )
    raise NoClimb(
        f"A climb to {note.to} was cut off in the middle, and the files are half-way. Nothing is "
        f"lost: `flask stage undo` puts back what was committed ({note.head[:9]}). Then climb "
        "again."
    )


def take_back() -> None:
    """Put the project back to its last commit. It was clean before, so nothing else is in it."""
    lock = PROJECT / git(PROJECT, "rev-parse", "--git-path", "index.lock")
    lock.unlink(missing_ok=True)  # A process that was killed may have left it.
    git(PROJECT, "restore", "--source=HEAD", "--staged", "--worktree", "--", ".")
    git(PROJECT, "clean", "--quiet", "--force", "-d", "--", ".")
    place().unlink(missing_ok=True)


def is_alive(process: int) -> bool:
    """Whether that process is there; on Windows, where asking would end it, it's taken as gone."""
    if os.name == "nt" or is_only_a_name(process):
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def is_only_a_name(process: int) -> bool:
    """Whether it has ended and nobody has asked yet how (a zombie, on Linux)."""
    with suppress(OSError):
        said = Path(f"/proc/{process}/stat").read_text("utf-8", "replace")
        return said.rpartition(")")[2].split()[0] == "Z"
    return False
