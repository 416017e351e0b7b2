"""The processes of the services in development: each says its name before what it says."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO
from urllib.request import urlopen

import click

from app.dev.command import open_port
from app.dev.postgres import somebody_listens
from app.dev.processes import Process, Processes, say
from app.stages.services.dev_leftovers import dies_with_us

COLOURS = ("cyan", "green", "magenta", "blue", "yellow", "bright_cyan", "bright_green")
LOOK_SECONDS = 0.1
STOP_SECONDS = 25  # Gunicorn gives its requests 20, and ends its own children then.
START_SECONDS = 120  # Eight Python processes at once, on a machine that has other work.


class Part(Process):
    """One process of the system."""

    def __init__(
        self,
        name: str,
        command: list[str],
        env: Mapping[str, str],
        *,
        port: int | None = None,
        asks: str = "",
        reloads: bool = True,
        wants_socket: bool = False,
        outlasts: bool = False,
    ) -> None:
        super().__init__(name, command, env)
        self.port, self.asks = port, asks
        self.reloads = reloads
        self.wants_socket = wants_socket
        # Ctrl-C at a terminal reaches a whole group at once. What the others need until their end
        # is in a group of its own, and goes when we say so.
        self.group = 0 if outlasts else None
        self.prefix = name

    def start(self) -> None:
        if not self.wants_socket:
            self.spawn()
            return
        # The development server takes its socket from whoever reloads it. Ours is shut at once:
        # a service that died must refuse its callers, not keep them waiting.
        with open_port("127.0.0.1", self.port or 0) as listener:
            number = listener.fileno()
            ours = {"WERKZEUG_RUN_MAIN": "true", "WERKZEUG_SERVER_FD": str(number)}
            self.spawn(ours, (number,))

    def spawn(self, more: Mapping[str, str] | None = None, sockets: tuple[int, ...] = ()) -> None:
        self.running = subprocess.Popen(  # noqa: S603  # Ours alone.
            self.command,
            env={**self.env, **(more or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=sockets,
            process_group=self.group,
            preexec_fn=dies_with_us(),  # noqa: PLW1509  # It takes no lock that a thread may hold.
        )
        threading.Thread(target=self.relay, args=(self.running.stdout,), daemon=True).start()

    def relay(self, lines: IO[bytes]) -> None:
        """Pass on what it says, each line with its name in front."""
        for line in lines:
            click.echo(f"{self.prefix} {line.decode(errors='replace').rstrip()}", err=True)

    def start_again(self) -> None:
        if self.reloads or self.running is None:
            super().start_again()

    def answers(self) -> bool:
        """Whether it takes connections, and says that it's ready if it can be asked."""
        if self.port is None or not somebody_listens(self.port):
            return self.port is None
        if not self.asks:
            return True
        try:
            with urlopen(f"http://127.0.0.1:{self.port}{self.asks}", timeout=5):
                return True
        except OSError:
            return False


class System(Processes):
    """All of them, step by step: each step waits until what came before it answers."""

    def __init__(
        self, folder: Path, note: Path, facts: dict[str, object], when_ready: Callable[[], None]
    ) -> None:
        super().__init__(folder, {})
        self.note = note
        self.facts = facts
        self.when_ready = when_ready
        self.steps: list[list[Part] | Callable[[], None]] = []

    @property
    def parts(self) -> list[Part]:
        return [part for step in self.steps if isinstance(step, list) for part in step]

    def add(self, *parts: Part) -> None:  # type: ignore[override]
        """Add processes that start together."""
        self.steps.append(list(parts))
        self.all = list(self.parts)
        width = max(len(part.name) for part in self.parts)
        for number, part in enumerate(self.parts):
            colour = COLOURS[number % len(COLOURS)]
            part.prefix = click.style(f"{part.name.ljust(width)} |", fg=colour)

    def then(self, work: Callable[[], None]) -> None:
        """Do something once all that was added before answers."""
        self.steps.append(work)

    def start_all(self) -> None:
        for step in self.steps:
            if self.over:
                return
            if isinstance(step, list):
                for part in step:
                    part.start()
                self.write_note()
                self.wait_for(step)
            else:
                step()
        if not self.over:
            self.when_ready()

    def wait_for(self, parts: list[Part]) -> None:
        """Wait until they answer. One that doesn't is named, and the others go on without it."""
        deadline = time.monotonic() + START_SECONDS
        missing = parts
        while missing and not self.over and time.monotonic() < deadline:
            missing = [part for part in missing if not part.answers()]
            for part in missing:
                part.notice_its_end()
            missing = [part for part in missing if part.running is not None]
            time.sleep(LOOK_SECONDS if missing else 0)
        for part in missing if not self.over else []:
            say(f"The {part.name} isn't ready after {START_SECONDS} seconds.", "red")

    def changed(self) -> None:
        self.write_note()

    def write_note(self) -> None:
        """Tell tools which process is which, and where: tests stop one of them."""
        facts = {
            **self.facts,
            "dev": os.getpid(),
            "processes": {part.name: part.running.pid for part in self.parts if part.running},
            "commands": {part.name: " ".join(part.command) for part in self.parts},
            "ports": {part.name: part.port for part in self.parts if part.port},
        }
        draft = self.note.with_suffix(".new")
        draft.write_text(json.dumps(facts, indent=2), "utf-8")
        draft.replace(self.note)

    def stop_all(self) -> None:
        """The way in goes first, so that nothing new comes; what the services need goes last."""
        for step in reversed(self.steps):
            if isinstance(step, list):
                for part in step:
                    part.ask_to_stop()
                for part in step:
                    part.see_that_it_goes(STOP_SECONDS)
        self.note.unlink(missing_ok=True)
