"""Runs `flask tenant ...` and kills itself (SIGKILL) at a step: `dying.py WORLD STEP WHEN ARGS...`.

WHEN is `before` its deed, `after` it but before its note, or `noted` right after the note.
"""

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from app.stages.hardened.lifecycle import doing, running
from tests.conftest import build


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def deadly(step: running.Step, when: str) -> running.Step:
    def run(work: running.Work) -> None:
        if when == "before":
            die()
        step.run(work)
        die()

    return replace(step, run=run)


def main() -> None:
    world = json.loads(sys.argv[1])
    step, when, *command = sys.argv[2:]
    doing.load_kinds()
    for kind, steps in running.STEPS.items():
        names = [one.name for one in steps]
        if step not in names:
            continue
        at = names.index(step)
        if when == "noted":
            at, moment = at + 1, "before"
        else:
            moment = when
        changed = list(steps)
        if at < len(changed):
            changed[at] = deadly(changed[at], moment)
        running.STEPS[kind] = tuple(changed)
    app = build(world["url"], Path(world["folder"]), **world["settings"])
    result = app.test_cli_runner().invoke(args=["tenant", *command])
    sys.stdout.write(result.output)
    sys.exit(result.exit_code)


main()
