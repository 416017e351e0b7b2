"""Servers under measurement: started on free ports, watched for CPU and memory, stopped."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

WORKERS = 2
THREADS = 4
PATIENCE = 60  # seconds for a server to answer
PROC = Path("/proc")


class NoServer(SystemExit):
    """A server didn't start; the message holds its last words."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    seconds_to_first_answer: float

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def cpu_seconds(self) -> float | None:
        """What its processes have used so far; None where the system doesn't tell."""
        return cpu_seconds_of(stat for _, stat in self._processes())

    def megabytes(self) -> float | None:
        """The memory of its biggest process, which is a worker."""
        pages = [int((pid / "statm").read_text().split()[1]) for pid, _ in self._processes()]
        return max(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6 if pages else None

    def _processes(self) -> Iterator[tuple[Path, list[str]]]:
        """Each of its processes: they share a session."""
        for pid in PROC.glob("[0-9]*"):
            stat = stat_of(pid)
            if stat and int(stat[3]) == self.process.pid:
                yield pid, stat


def stat_of(pid: Path) -> list[str]:
    """What the system says of a process, from its state on; nothing if it has just ended."""
    try:
        return (pid / "stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return []


def cpu_seconds_of(stats: Iterable[list[str]]) -> float | None:
    """What processes have used so far, as the system says; None where it doesn't tell."""
    ticks = [int(stat[11]) + int(stat[12]) for stat in stats if stat]
    return sum(ticks) / os.sysconf("SC_CLK_TCK") if ticks else None


@contextmanager
def gunicorn(
    logs: Path, name: str, app: str, folder: Path, settings: Mapping[str, str]
) -> Iterator[Server]:
    """A Flask application on gunicorn: for all of them as many workers and threads."""
    port = free_port()
    workers = ["--workers", str(WORKERS), "--threads", str(THREADS), "--worker-class", "gthread"]
    command = [sys.executable, "-m", "gunicorn", "--no-control-socket", *workers]
    bind = ["--bind", f"127.0.0.1:{port}", app]
    with running(logs, name, [*command, *bind], port, folder, settings) as server:
        yield server


@contextmanager
def uvicorn(
    logs: Path, name: str, python: str, app: str, folder: Path, settings: Mapping[str, str]
) -> Iterator[Server]:
    """An ASGI application on uvicorn with uvloop and httptools; it logs each request, as ours."""
    port = free_port()
    command = [python, "-m", "uvicorn", "--workers", str(WORKERS), "--port", str(port), app]
    with running(logs, name, command, port, folder, settings) as server:
        yield server


@contextmanager
def running(
    logs: Path,
    name: str,
    command: list[str],
    port: int,
    folder: Path,
    settings: Mapping[str, str],
) -> Iterator[Server]:
    """A server that has answered; what it logs goes to a file, as to a collector of logs."""
    began = time.perf_counter()
    words = logs / f"{name.replace(' ', '-')}.log"
    with words.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **settings},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/healthz", process, words)
            yield Server(name, port, process, time.perf_counter() - began)
        finally:
            stop(process)


def wait_for(url: str, process: subprocess.Popen[bytes], words: Path) -> None:
    deadline = time.perf_counter() + PATIENCE
    while time.perf_counter() < deadline and process.poll() is None:
        try:
            with urlopen(url, timeout=5) as answer:  # noqa: S310  # Our own address.
                if answer.status == 200:
                    return
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.02)
    raise NoServer(f"{url} doesn't answer:\n{words.read_text(errors='replace')[-3000:]}")


def stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
