"""The whole system as `flask dev` starts it, from outside: an address, and processes by name.

    with system_of(folder) as system:
        system.get("/readyz")
        system.kill("billing", "billing-worker")
        system.start_again("billing")

`folder` is a project, or an empty folder that becomes a copy of this one. Its data is in its own
`instance`.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from app.dev.postgres import free_port
from tests import alive
from tests.browser import PROJECT

PATIENCE_SECONDS = 180
READY = "Everything answers after"
NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__", "instance", "screenshots", "tests")
# Settings of whoever develops here; in a test they'd lead to another system.
OF_OTHERS = ("FLASK_", "DATABASE_", "WERKZEUG_", "REDIS_", "SERVES", "PUBLIC_URL")


class System:
    """A running `flask dev`."""

    def __init__(self, folder: Path, *options: str, python: str = sys.executable, **env: str):
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.options = options
        self.python = python
        self.given = env
        self.log_file = folder / "system.log"
        if not (folder / "app").exists():
            shutil.copytree(PROJECT, folder, ignore=NOT_COPIED, dirs_exist_ok=True)

    def start(self, *, wait: bool = True) -> None:
        self.log_file.touch()
        ready = self.said.count(READY) + 1
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [self.python, "-m", "flask", "dev", "--port", str(self.port), *self.options],
                cwd=self.folder,
                env=self.env,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if wait:
            self.wait_for(lambda: self.said.count(READY) == ready)

    def flask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command as somebody types it in another terminal."""
        return subprocess.run(
            [self.python, "-m", "flask", *words],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def env(self) -> dict[str, str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(OF_OTHERS)}
        settings = {"FLASK_APP": "app", "APP_ENV": "development", "PYTHONUNBUFFERED": "1"}
        return {**clean, **settings, **self.given}

    # --- Looking ---------------------------------------------------------------------------------

    @property
    def said(self) -> str:
        return self.log_file.read_text(errors="replace")

    @property
    def facts(self) -> dict[str, Any]:
        """What it noted: `processes` and `ports` by name, `databases`, `redis`, `url`."""
        found: dict[str, Any] = json.loads((self.folder / "instance" / "dev.json").read_text())
        return found

    @property
    def processes(self) -> dict[str, int]:
        return dict(self.facts["processes"])

    def family(self) -> dict[int, str]:
        """The processes of its session that are alive."""
        return alive.in_session(self.process.pid)

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        try:
            with urlopen(Request(self.url + path, headers=headers), timeout=30) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def wait_for(self, look: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := look():
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise AssertionError(f"Waited in vain. It said:\n{self.said[-6000:]}")

    # --- Doing -----------------------------------------------------------------------------------

    def kill(self, *names: str, how: signal.Signals = signal.SIGKILL) -> None:
        """End some of its processes, and wait until `flask dev` has noticed.

        Gunicorn's children, too: they'd keep its port for as long as their requests may take.
        After it, for it would replace them.
        """
        for name in names:
            parent = self.processes[name]
            for pid in (parent, *alive.children_of(parent)):
                with suppress(ProcessLookupError):
                    os.kill(pid, how)
        self.wait_for(lambda: not set(names) & set(self.processes))

    def touch(self) -> None:
        """Let a file change: what has stopped starts again, and so does the rest."""
        file = self.folder / "app" / "__init__.py"
        file.write_text(file.read_text() + "\n")

    def crash(self) -> None:
        """Kill every process at once, as a power cut would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Stop it as the terminal (the whole group gets Ctrl-C) or a manager does."""
        if how == signal.SIGINT:
            os.killpg(self.process.pid, how)
        elif self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(60)


@contextmanager
def system_of(folder: Path, *options: str, **env: str) -> Iterator[System]:
    """A system that runs; whatever is left of it at the end is stopped."""
    system = System(folder, *options, **env)
    try:
        system.start()
        yield system
    finally:
        if hasattr(system, "process"):
            if system.process.poll() is None:
                system.stop()
            for pid in system.family():
                os.kill(pid, signal.SIGKILL)
