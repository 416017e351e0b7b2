"""A real gunicorn, with this project's configuration, in production."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import orjson

from app.dev.postgres import free_port
from tests.world import PRODUCTION

ROOT = Path(__file__).parents[2]
PATIENCE = 60


class Server:
    """gunicorn on a free port, and what it wrote."""

    def __init__(self, folder: Path, database_url: str, **settings: str) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.log = folder / "server.log"
        needed = {name.upper(): str(value) for name, value in PRODUCTION.items()}
        needed["ENCRYPTION_KEYS"] = ",".join(PRODUCTION["encryption_keys"])
        needed |= {"DATABASE_URL": database_url, "PORT": str(self.port)}
        needed |= {"PUBLIC_URL": self.address}  # By http, so that browsers keep the session.
        needed |= {"SERVED_INSTANCE": str(folder), "WEB_CONCURRENCY": "2"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "tests.ops.served:create_app()"],
                cwd=ROOT,
                env={**os.environ, **needed, **settings},
                stdout=log,
                stderr=log,
            )

    def get(self, path: str, **headers: str) -> tuple[int, Any]:
        """The status and the JSON of an answer."""
        try:
            asked = Request(self.address + path, headers=headers)
            with urlopen(asked, timeout=PATIENCE) as answer:
                return answer.status, orjson.loads(answer.read())
        except HTTPError as error:
            with error:
                return error.code, orjson.loads(error.read())

    def hsts(self, headers: dict[str, str]) -> str | None:
        """Whether it told the browser to stay with https."""
        with urlopen(Request(self.address + "/healthz", headers=headers)) as answer:
            return answer.headers["Strict-Transport-Security"]

    def send(self, request: bytes) -> int | None:
        """Send these very bytes; the status of the answer, if there is one."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            try:
                answer = connection.recv(100)
            except ConnectionResetError:
                return None
        return int(answer.split()[1]) if answer else None

    def wait_until_it_serves(self) -> None:
        self.wait_for(lambda: self.answers("/healthz"))

    def answers(self, path: str) -> bool:
        try:
            return self.get(path)[0] == 200
        except URLError:
            return False

    def wait_for(self, look: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if found := look():
                return found
            assert self.process.poll() is None, self.said
            time.sleep(0.1)
        raise AssertionError(f"Waited in vain. It said:\n{self.said}")

    @property
    def said(self) -> str:
        return self.log.read_text()

    def lines(self, event: str) -> list[dict[str, Any]]:
        """The lines of its log about one kind of thing."""
        lines = [orjson.loads(line) for line in self.said.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def hang_up(self) -> None:
        """Take up new code, as a deployment on one machine does."""
        self.process.send_signal(signal.SIGHUP)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
