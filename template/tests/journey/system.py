"""The system under test, seen from outside: a URL, and nothing else.

`JOURNEY_URL` names one that runs somewhere. Without it the project starts itself, by the command
that people start it with, in a folder of its own; only then can it be killed and started again.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tests.browser import PROJECT, free_port, wait_until_ready

GIVEN = os.environ.get("JOURNEY_URL", "").rstrip("/")
LINES_OF_LOG = 60
# Neither data nor settings of whoever develops here.
NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__", "instance", "screenshots", "tests")


class Given:
    """A system that somebody else runs."""

    url = GIVEN

    def __str__(self) -> str:
        return f"{self.url}, which JOURNEY_URL names"

    def log(self) -> str:
        return f"(the log of {self.url} isn't here)"

    def stop(self) -> None:
        """It goes on."""


class Own:
    """The project itself, a copy of it with data of its own, started by `flask dev`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        shutil.copytree(PROJECT, folder, ignore=NOT_COPIED, dirs_exist_ok=True)

    def __str__(self) -> str:
        return f"{self.url}, with {', '.join(self.parts) or 'one server and its worker'}"

    @property
    def parts(self) -> dict[str, int]:
        """Its processes by name. `flask dev` notes them at a stage where they are many."""
        note = self.folder / "instance" / "dev.json"
        return dict(json.loads(note.read_text())["processes"]) if note.exists() else {}

    def start(self) -> None:
        """Start everything that the stage needs, and wait until it can serve."""
        settings = {"FLASK_APP": "app", "APP_ENV": "development", "PYTHONUNBUFFERED": "1"}
        env = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"} | settings
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "flask", "dev", "--port", str(self.port)],
                cwd=self.folder,
                env=env,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # So that all of it can be killed at once.
            )
        try:
            wait_until_ready(self.url, self.process, self.log_file)
        except RuntimeError:
            self.stop()
            raise

    def crash(self) -> None:
        """Kill every process at once, as a power cut would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Stop it as Ctrl-C does."""
        self.process.terminate()
        self.process.wait(timeout=30)

    def log(self) -> str:
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-LINES_OF_LOG:])

    @property
    def log_file(self) -> Path:
        return self.folder / "server.log"


System = Given | Own


def running(folder: Path) -> System:
    """The system that was given, or a new one that is ready."""
    if GIVEN:
        return Given()
    system = Own(folder)
    system.start()
    return system
