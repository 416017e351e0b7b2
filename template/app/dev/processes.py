"""The processes of `flask dev`: started together, started again on a change, stopped together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from socket import socket
from types import FrameType

import click

LOOK_SECONDS = 0.4
PATIENCE_SECONDS = 10
# A job that a change interrupts is taken up again, so nobody waits for it.
PATIENCE_FOR_A_CHANGE_SECONDS = 2
WATCHED = {".py", ".toml", ".json"}
STOPPING = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class Process:
    """One process: a command that is started again when a file changes."""

    def __init__(
        self, name: str, command: list[str], env: Mapping[str, str], listener: socket | None = None
    ) -> None:
        self.name = name
        self.command = command
        self.env = dict(env)
        self.listener = listener
        self.running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        # Same process group and same terminal, so that `breakpoint()` works in a view.
        if self.listener is None:
            self.running = subprocess.Popen(self.command, env=self.env)
        elif os.name == "nt":
            self.running = subprocess.Popen(self.command, env=self.env, close_fds=False)
        else:
            self.running = subprocess.Popen(
                self.command, env=self.env, pass_fds=[self.listener.fileno()]
            )

    def ask_to_stop(self) -> None:
        if self.running is not None:
            self.running.terminate()

    def see_that_it_goes(self, seconds: float) -> None:
        if self.running is None:
            return
        try:
            self.running.wait(seconds)
        except subprocess.TimeoutExpired:
            self.running.kill()
            self.running.wait()
        self.running = None

    def start_again(self) -> None:
        self.ask_to_stop()
        self.see_that_it_goes(PATIENCE_FOR_A_CHANGE_SECONDS)
        self.start()

    def notice_its_end(self) -> bool:
        """Say that it ended by itself, as for an error in the code; a change brings it back."""
        if self.running is None or (code := self.running.poll()) is None:
            return False
        self.running = None
        say(f"The {self.name} stopped ({code}). It starts again when a file changes.", "red")
        return True


class Processes:
    """All of them, and the folder whose changes start them again."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.folder = folder
        self.env = env
        self.all: list[Process] = []
        self.over = False

    def add(self, name: str, *command: str) -> None:
        self.all.append(Process(name, flask(*command), self.env))

    def add_server(self, listener: socket) -> None:
        """Add the web server on a socket that stays open between two of its lives.

        Requests wait while it starts again. The two variables are Werkzeug's own: they say that
        somebody else reloads, so Flask shows an error in the code as a page and lives on.
        """
        listener.set_inheritable(True)
        host, port = listener.getsockname()[:2]
        ours = {"WERKZEUG_RUN_MAIN": "true", "WERKZEUG_SERVER_FD": str(listener.fileno())}
        command = server_at(host, port)
        self.all.append(Process("server", command, {**self.env, **ours}, listener))

    def run(self) -> None:
        """Run them until somebody stops us; none outlives this call."""
        before = {number: signal.signal(number, self.stop) for number in STOPPING}
        try:
            self.watch()
        finally:
            self.stop_all()
            for number, handler in before.items():
                signal.signal(number, handler)

    def stop(self, _number: int, _frame: FrameType | None) -> None:
        self.over = True

    def watch(self) -> None:
        seen = state_of(self.folder)
        self.start_all()
        while not self.over:
            time.sleep(LOOK_SECONDS)
            if self.over:
                break  # Ctrl-C reaches them all: that they end now is no news.
            now = state_of(self.folder)
            if now == seen:
                ended = [process.notice_its_end() for process in self.all]
                if any(ended):
                    self.changed()
                continue
            say(f"{changed_in(seen, now)} changed: starting again.", "yellow")
            seen = now
            for process in self.all:
                process.start_again()
            self.changed()

    def changed(self) -> None:
        """Which processes there are has changed. For those who keep a list."""

    def start_all(self) -> None:
        for process in self.all:
            process.start()

    def stop_all(self) -> None:
        for process in self.all:
            process.ask_to_stop()
        for process in self.all:
            process.see_that_it_goes(PATIENCE_SECONDS)


def flask(*words: str) -> list[str]:
    """A `flask` command of the Python that runs this."""
    return [sys.executable, "-m", "flask", *words]


def server_at(host: str, port: int) -> list[str]:
    """The development server, which leaves reloading to us."""
    run = ("run", "--no-reload", "--debugger", "--host", host, "--port", str(port))
    return flask("--app", "app.dev.web", "--debug", *run)


def state_of(folder: Path) -> dict[str, int]:
    """When each watched file was last changed."""
    return dict(times_in(str(folder)))


def times_in(folder: str) -> Iterator[tuple[str, int]]:
    """Times of the files below. A file may vanish in between, as editors and git make them."""
    for here, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__pycache__"))]
        for name in files:
            path = os.path.join(here, name)
            if os.path.splitext(name)[1] in WATCHED and (time := time_of(path)):
                yield path, time


def time_of(path: str) -> int | None:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None


def changed_in(before: dict[str, int], after: dict[str, int]) -> str:
    """The name of a file that differs."""
    path = next(iter(sorted(set(before.items()) ^ set(after.items()))))[0]
    return os.path.relpath(path)


def say(text: str, colour: str) -> None:
    click.secho(text, fg=colour, err=True)
