"""What a `flask dev` that was killed leaves running: Linux ends it at once, the next start what
is left elsewhere, and nobody else's processes."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from app.dev.processes import PATIENCE_SECONDS

LOOK_SECONDS = 0.1
PR_SET_PDEATHSIG = 1
LAST = "redis"  # The others write into it until their end.


def dies_with_us() -> Callable[[], None] | None:
    """What a child does before its program begins, so that our death, however sudden, stops it."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def end(note: Path) -> list[str]:
    """End what the note of an earlier run names, for callers who know that nobody has it.

    Answers the names. A process counts only while its command line is the one that was noted: its
    id may be somebody else's by now.
    """
    if not note.exists():
        return []
    facts: dict[str, Any] = json.loads(note.read_text("utf-8"))
    ours = {name: pid for name, pid in facts["processes"].items() if is_ours(facts, name)}
    end_all(facts, [name for name in ours if name != LAST])
    end_all(facts, [name for name in ours if name == LAST])
    note.unlink()
    return list(ours)


def is_ours(facts: dict[str, Any], name: str) -> bool:
    known = facts.get("commands", {}).get(name)
    return known is not None and known == command_line(facts["processes"][name])


def command_line(pid: int) -> str:
    """What a process was started with; nothing if there's none."""
    command = ["ps", "-ww", "-o", "args=", "-p", str(pid)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip()


def end_all(facts: dict[str, Any], names: list[str]) -> None:
    """Ask them to stop, and kill who doesn't."""
    tell(facts, names, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (left := [name for name in names if is_ours(facts, name)]) and (
        time.monotonic() < deadline
    ):
        time.sleep(LOOK_SECONDS)
    tell(facts, left, signal.SIGKILL)


def tell(facts: dict[str, Any], names: list[str], what: signal.Signals) -> None:
    for name in names:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(facts["processes"][name], what)
