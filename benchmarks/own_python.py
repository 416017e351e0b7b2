"""Runs a benchmark with the Python of the project that it measures."""

import os
import subprocess
import sys
from pathlib import Path


def enter(project: Path, script: str, arguments: list[str]) -> None:
    """Go on in the project's own Python and folder; with another one, start again in that one."""
    python = project / ".venv" / "bin" / "python"
    if Path(sys.executable) != python:
        again = [str(python), str(Path(script).resolve()), *arguments]
        raise SystemExit(subprocess.run(again, check=False).returncode)
    sys.path.insert(0, str(project))
    os.chdir(project)
