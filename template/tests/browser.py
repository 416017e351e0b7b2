"""A real browser on the real application, for tests marked `journey`.

The application runs as in production: gunicorn, in a process of its own, with the demo people in a
database of its own. The browser is any Chromium that is there; where there is none, these tests are
skipped, and say so.
"""

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.dev.postgres import free_port
from app.dev.seed import PASSWORD

PROJECT = Path(__file__).parents[1]
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGS = [
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
NO_BROWSER = "no browser: install Debian's chromium, or set CHROMIUM to the path of one"
START_SECONDS = 180
DRIVEN = "driven"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say at the end which systems were driven: one process, or each package as one of its own."""
    reports = [report for group in terminalreporter.stats.values() for report in group]
    properties = [pair for report in reports for pair in getattr(report, "user_properties", ())]
    for system in sorted({value for name, value in properties if name == DRIVEN}):
        terminalreporter.write_line(f"Driven: {system}")


@dataclass(frozen=True)
class LiveServer:
    """The application as it runs, and the folder that holds all that it writes."""

    url: str
    folder: Path

    @property
    def mail(self) -> Path:
        """Where its e-mails lie."""
        return self.folder / "instance" / "mail"

    @property
    def environment(self) -> dict[str, str]:
        """Development's settings, for CSRF is off in testing, and production wants real keys."""
        return os.environ | {
            "APP_ENV": "development",
            "DATABASE_URL": f"sqlite:///{(self.folder / 'live.db').as_posix()}",
            "PUBLIC_URL": self.url,
        }


@pytest.fixture(scope="session")
def live_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """The application under gunicorn, migrated and seeded."""
    folder = tmp_path_factory.mktemp("live")
    link_application(folder)
    server = LiveServer(f"http://127.0.0.1:{free_port()}", folder)
    run(server, "flask", "--app", "app", "db", "upgrade")
    run(server, "flask", "--app", "app", "seed")
    process = start(server)
    try:
        wait_until_ready(server.url, process, log_of(server))
        yield server
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, without a window."""
    from playwright.sync_api import sync_playwright

    path = chromium()
    if path is None:
        pytest.skip(NO_BROWSER)
    # In a container one is root, and as root Chromium can't make its sandbox.
    args = [*ARGS, "--no-sandbox"] if os.geteuid() == 0 else ARGS
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=args)
        yield browser
        browser.close()


@pytest.fixture
def browser_page(browser: Any, live_server: LiveServer) -> Iterator[Any]:
    """A page of a browser that has never been here; paths are the live server's."""
    context = browser.new_context(base_url=live_server.url)
    yield context.new_page()
    context.close()


def chromium() -> str | None:
    """Where a Chromium is: what CHROMIUM says, or one that the system knows."""
    told = os.environ.get("CHROMIUM")
    return told or next(filter(None, map(shutil.which, CHROMIUMS)), None)


def sign_in(page: Any, email: str, password: str = PASSWORD) -> None:
    """Log in through the form, as people do."""
    page.goto("/login")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(lambda url: not url.endswith("/login"))


def axe(page: Any) -> list[str]:
    """What axe-core finds wrong with the page, a line for each place."""
    from axe_playwright_python.sync_playwright import Axe

    violations = Axe().run(page).response["violations"]
    return [
        f"{violation['id']} ({violation['impact']}): {node['target']} {node['failureSummary']}"
        for violation in violations
        for node in violation["nodes"]
    ]


def listen(page: Any, said: list[str]) -> None:
    """Note what the browser complains of from here on: blocked by the policy, broken scripts."""
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text) if is_bad(message) else None)


def is_bad(message: Any) -> bool:
    """Whether it's an error, other than that the page itself is an error page."""
    return message.type == "error" and "the server responded with a status of 4" not in message.text


def link_application(folder: Path) -> None:
    """Flask keeps `instance` beside the package: beside a link, it is this server's alone."""
    for name in ("app", "gunicorn.conf.py"):
        if (PROJECT / name).exists():
            (folder / name).symlink_to(PROJECT / name)


def run(server: LiveServer, *command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=server.folder,
        env=server.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"


def start(server: LiveServer) -> subprocess.Popen[bytes]:
    bind = server.url.removeprefix("http://")
    command = ["gunicorn", "app:create_app()", "--bind", bind, "--workers", "1", "--threads", "4"]
    with log_of(server).open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=server.folder,
            env=server.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{url}/readyz", timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"The server didn't start:\n{log.read_text()}")


def log_of(server: LiveServer) -> Path:
    return server.folder / "server.log"
