"""Load: wrk where it's installed, else a small client of our own, in a process of its own."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

OWN_CLIENT = Path(__file__).with_name("client.py")
ALLOWANCE = 30  # seconds for a client to end beyond what it was asked to take


class BadAnswers(SystemExit):
    """The server answered something else than before: there is nothing to measure."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a client got done."""

    requests: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def best_client() -> str:
    """wrk takes least of the machine away from the server."""
    return "wrk" if shutil.which("wrk") else "own"


def drive(
    client: str, url: str, headers: Mapping[str, str], *, seconds: float, connections: int
) -> Load:
    """Ask for one URL as often as the server allows, over connections that are kept alive."""
    run = run_wrk if client == "wrk" else run_own
    load, bad = run(url, headers, seconds, connections)
    if bad or not load.requests:
        raise BadAnswers(f"{url}: {bad} of {load.requests} answers were bad under load.")
    return load


def run_wrk(
    url: str, headers: Mapping[str, str], seconds: float, connections: int
) -> tuple[Load, int]:
    given = [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
    # wrk counts whole seconds. An answer that takes long is an answer.
    lasting = [f"-d{max(round(seconds), 1)}s", "--timeout", f"{ALLOWANCE}s"]
    said = output_of(["wrk", "-t1", f"-c{connections}", *lasting, *given, url], seconds)
    done = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m)", said)
    if done is None:
        raise BadAnswers(f"wrk said nothing about {url}:\n{said}")
    unit = {"ms": 0.001, "s": 1.0, "m": 60.0}[done[3]]
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    broken = re.search(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    errors = sum(map(int, broken.groups())) if broken else 0
    return Load(int(done[1]), float(done[2]) * unit), errors + (int(bad[1]) if bad else 0)


def run_own(
    url: str, headers: Mapping[str, str], seconds: float, connections: int
) -> tuple[Load, int]:
    asked = {"url": url, "headers": dict(headers), "seconds": seconds, "connections": connections}
    said = json.loads(output_of([sys.executable, str(OWN_CLIENT), json.dumps(asked)], seconds))
    return Load(said["requests"], said["seconds"]), said["bad"]


def output_of(command: list[str], seconds: float) -> str:
    ended = subprocess.run(command, capture_output=True, text=True, timeout=seconds + ALLOWANCE)
    if ended.returncode:
        raise BadAnswers(f"The client failed: {ended.stderr.strip()}")
    return ended.stdout
