"""Runs a command, and ends it with all that it started if it takes too long.

    python scripts/within.py MINUTES COMMAND...

A step that hangs would otherwise hold a whole run until somebody looks.
"""

import os
import shlex
import signal
import subprocess
import sys
from contextlib import suppress

GRACE_SECONDS = 15  # for pytest to say where it hung
TOO_LONG = 124  # what `timeout` answers, too


def main(minutes: str, *command: str) -> int:
    process = start(command)
    try:
        return process.wait(timeout=float(minutes) * 60)
    except subprocess.TimeoutExpired:
        print(f"\nTook longer than {minutes} minutes: {shlex.join(command)}", flush=True)
        end(process)
        return TOO_LONG
    except KeyboardInterrupt:
        end(process)
        raise


def start(command: tuple[str, ...]) -> "subprocess.Popen[bytes]":
    """Start it as the head of a group, so that what it starts can be ended with it."""
    return subprocess.Popen(command, start_new_session=os.name != "nt")


def end(process: "subprocess.Popen[bytes]") -> None:
    """Interrupt the whole group as Ctrl-C does; what is still there then, kill."""
    tell(process, signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=GRACE_SECONDS)
    tell(process, getattr(signal, "SIGKILL", signal.SIGTERM))
    process.wait()


def tell(process: "subprocess.Popen[bytes]", what: int) -> None:
    if os.name == "nt":
        process.terminate()
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, what)


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
