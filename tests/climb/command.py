"""`flask stage` as a team types it, without the application around it."""

import os
import subprocess
import sys

from tests.world import Project


def stage(project: Project, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scripts.stage", *arguments],
        cwd=project.root,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        input=typed,
        capture_output=True,
        text=True,
    )


def refusal(project: Project, *arguments: str) -> str:
    """What the command says when it refuses, in sentences and not in a traceback."""
    done = stage(project, *arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr
