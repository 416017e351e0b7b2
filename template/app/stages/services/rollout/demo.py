"""`flask rollout demo`: a release goes to forty tenants in waves, on this machine, and is bad."""

import subprocess
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click
import urllib3
from flask.cli import with_appcontext
from urllib3.exceptions import HTTPError

from app.stages.services.rollout.opening import cli, plain_refusals

if TYPE_CHECKING:
    from app.stages.services.rollout.demo_system import TwoReleases

WAVES = """
[[wave]]
name = "canary"
share = 0.1

[[wave]]
name = "half"
share = 0.5

[[wave]]
name = "rest"
rest = true

[gates]
soak = "4s"
requests = 20
patience = "60s"
error_budget = 0.05
errors = 3
"""
NO_ANSWER = "without an answer"
TOO_MANY = 429
PEOPLE = 4
PATIENCE_SECONDS = 150


@dataclass
class Visits:
    """What people got, each with the moment."""

    url: str
    path: str
    cookie: str
    slugs: list[str]
    over: threading.Event = field(default_factory=threading.Event)
    answers: list[tuple[float, str, int]] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        for number in range(PEOPLE):
            thread = threading.Thread(target=self.visit, args=(number,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def visit(self, number: int) -> None:
        """One of the people, round and round through a part of the tenants."""
        http = urllib3.PoolManager(retries=False, timeout=30)
        slugs = self.slugs[number::PEOPLE]
        while not self.over.is_set():
            for slug in slugs:
                asked, status = time.monotonic(), self.ask(http, slug)
                if status == TOO_MANY:  # Where a later stage throttles: no fault of a release.
                    self.over.wait(1)
                else:
                    self.answers.append((asked, slug, status))
                if self.over.wait(0.03):
                    break

    def ask(self, http: urllib3.PoolManager, slug: str) -> int:
        headers = {"Cookie": self.cookie, "Accept": "text/html"}
        try:
            url = f"{self.url}/t/{slug}{self.path}"
            return http.request("GET", url, headers=headers, redirect=False).status
        except HTTPError:
            return 0

    def stop(self) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()

    def failed(self) -> list[tuple[float, str, int]]:
        return [answer for answer in self.answers if answer[2] != 200]


@cli.command("demo")
@click.option(
    "--tenants",
    default=40,
    show_default=True,
    type=click.IntRange(10, 500),
    help="How many tenants there are.",
)
@click.option("--healthy", is_flag=True, help="The new release has no fault: it goes through.")
@with_appcontext
def demo_command(tenants: int, healthy: bool) -> None:
    """Two releases of this project on your machine: the new one is bad, and comes back by itself.

    Real servers, databases and gateway, in a folder that is gone at the end; yours aren't touched.
    Takes a minute or two.
    """
    # Production has these commands, too, and none of what development needs.
    from app.stages.services.rollout.demo_system import NEW, OLD, TwoReleases

    with plain_refusals(), ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="rollout-")))
        folder.chmod(0o755)  # PostgreSQL may run as somebody else.
        system = TwoReleases(folder, tenants, not healthy, stack)
        begun = time.monotonic()
        click.echo(f"Starting {OLD} and {NEW}, four services each, with {tenants} tenants ...")
        system.start()
        click.echo(f"Everything answers after {time.monotonic() - begun:.0f} s.\n")
        visits = Visits(f"http://127.0.0.1:{system.port}", system.path, system.cookie, system.slugs)
        stack.callback(visits.stop)
        visits.start()
        time.sleep(3)
        entered, ended, code = rolled_out(system, NEW)
        time.sleep(4)
        visits.stop()
        click.echo(f"\n{system.flask(OLD, 'status')}")
        report(visits, entered, ended, tenants)
    wanted = 0 if healthy else 1
    if code != wanted:
        raise click.ClickException(f"flask rollout start ended with {code}, not with {wanted}.")


def rolled_out(system: "TwoReleases", release: str) -> tuple[float, float, int]:
    """Run `flask rollout start`; says when the first wave had the release, and when it was over."""
    file = system.folder / "waves.toml"
    file.write_text(WAVES)
    words = [
        "start",
        release,
        "--scrape",
        "--every",
        "0.5",
        "--waves",
        str(file),
        "--why",
        "the demo",
    ]
    click.echo(f"$ flask rollout {' '.join(words[:-2])}")
    process = system.run("start", system.rollout(*words), system.env(release, "auth"), release)
    log, said, entered = system.folder / "start.log", 0, 0.0
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        ended = process.poll() is not None
        lines = log.read_text("utf-8").splitlines()
        for line in lines[said:]:
            click.echo(f"  {line}")
            if line.startswith("Wave 1"):
                entered = time.monotonic()
        said = len(lines)
        if ended:
            return entered, time.monotonic(), process.returncode
        if time.monotonic() > deadline:
            process.kill()
            raise subprocess.TimeoutExpired(words, PATIENCE_SECONDS)
        time.sleep(0.05)


def report(visits: Visits, entered: float, ended: float, tenants: int) -> None:
    """What people saw of it."""
    failed = visits.failed()
    saw = {slug for _, slug, _ in failed}
    after = [answer for answer in visits.answers if answer[0] > ended]
    bad_after = [answer for answer in after if answer[2] != 200]
    kinds = Counter(NO_ANSWER if status == 0 else str(status) for _, _, status in failed)
    shown = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    share = len(failed) / len(visits.answers)
    click.echo(
        f"{len(visits.answers):,} requests, {len(failed):,} of them failed ({share:.1%})"
        f"{f': {shown}' if shown else ''}."
    )
    click.echo(f"{len(saw)} of {tenants} tenants saw it: {len(saw) / tenants:.1%}.")
    if failed:
        click.echo(
            f"From the wave to the first failure {failed[0][0] - entered:.1f} s, to the last "
            f"{failed[-1][0] - entered:.1f} s; to the end of the command {ended - entered:.1f} s."
        )
    click.echo(f"After it {len(after):,} requests, {len(bad_after)} of them failed.")
