"""Generates a project, installs it, starts it and waits for its first page, with the times.

What `nox -s demo` runs. A folder that holds a project already is started as it is: the edits in
it are somebody's work.
"""

import argparse
import os
import runpy
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import warnings
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from urllib.error import URLError
from urllib.request import urlopen

import yaml
from copier import run_copy
from copier.errors import DirtyLocalWarning

ROOT = Path(__file__).resolve().parents[1]
runpy.run_path(str(ROOT / "template/scripts/stage/quick_copier.py"))  # It takes half the time.
ANSWERS = ".copier-answers.yml"
# By these nox tells uv to install everything into the session's environment.
OF_NOX = {"VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "UV_PYTHON"}
USUAL_PORT = 5000
PATIENCE = 90  # seconds for the server to answer


class NoDemo(SystemExit):
    """The demo can't go on; the message says why."""


def main(arguments: list[str]) -> None:
    wish = wishes(arguments)
    target = Path(wish.dir).resolve()
    times = Times()
    if is_a_project(target):
        refuse_another_stage(target, wish.stage)
        print(f"{target} holds a project already: starting it as it is.", flush=True)
    else:
        refuse_a_folder_in_use(target)
        with times.of("generate"):
            generate(target, wish.name, wish.stage or "prototype")
    with times.of("install"):
        run(["uv", "sync", "--quiet"], target)
    if not (target / ".git").exists():
        keep_under_git(target)
    if wish.only_generate:
        return
    serve(target, free_port(), times, once=wish.once)


def wishes(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s demo --", description=__doc__.splitlines()[0])
    parser.add_argument("--once", action="store_true", help="stop after the first good answers")
    parser.add_argument("--only-generate", action="store_true", help="install it, don't start it")
    parser.add_argument("--stage", help="the stage to generate; default: prototype")
    parser.add_argument("--name", default="Stagecoach Demo", help="what the product is called")
    parser.add_argument("--dir", default=str(ROOT / "demo"), help="where to; default: ./demo")
    return parser.parse_args(arguments)


class Times:
    """How long each step took, from the moment the command was typed."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, float]] = []
        self.began = float(os.environ.get("STAGECOACH_STARTED", time.time()))
        self.add("tools", time.time() - self.began)

    def add(self, step: str, seconds: float) -> None:
        self.steps.append((step, seconds))

    @contextmanager
    def of(self, step: str) -> Iterator[None]:
        began = time.time()
        yield
        self.add(step, time.time() - began)

    def show(self) -> None:
        self.add("total", time.time() - self.began)
        print("\n" + "\n".join(f"{step:12}{seconds:6.1f} s" for step, seconds in self.steps))


# --- The project ---------------------------------------------------------------------------------


def is_a_project(target: Path) -> bool:
    return (target / ANSWERS).exists()


def refuse_another_stage(target: Path, stage: str | None) -> None:
    has = yaml.safe_load((target / ANSWERS).read_text("utf-8"))["stage"]
    if stage not in (None, has):
        raise NoDemo(f"{target} is at {has}. Give the new one its own folder: --dir demo-{stage}")


def refuse_a_folder_in_use(target: Path) -> None:
    if target.exists() and any(target.iterdir()):
        raise NoDemo(f"{target} holds files that are no project. Give another folder: --dir NAME")


def generate(target: Path, name: str, stage: str) -> None:
    """Generate beside the target, so that an interrupted run leaves nothing half done there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        try:
            answers = {"project_name": name, "stage": stage}
            # HEAD: today's template, released or not, committed or not.
            with saying_if_it_is_dirty():
                run_copy(str(ROOT), draft, answers, vcs_ref="HEAD", defaults=True, quiet=True)
        except ValueError as error:
            raise NoDemo(str(error)) from error
        if target.exists():
            target.rmdir()
        draft.chmod(0o755)
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def saying_if_it_is_dirty() -> Iterator[None]:
    """What nobody committed has no version, so a project made of it has none to climb from."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DirtyLocalWarning)
        yield
    if any(issubclass(warning.category, DirtyLocalWarning) for warning in caught):
        print("The template has uncommitted changes. They are in, but this can't be updated.")


def keep_under_git(target: Path) -> None:
    """Commit what was generated, so that edits show, and so that the project can climb."""
    somebody = ["-c", "user.name=Stagecoach", "-c", "user.email=demo@localhost"]
    known = subprocess.run(["git", "config", "user.email"], capture_output=True).returncode == 0
    commit = ["commit", "--quiet", "--no-verify", "--no-gpg-sign", "--message", "Generate it"]
    run(["git", "init", "--quiet"], target)
    run(["git", "add", "--all"], target)
    run(["git", *([] if known else somebody), *commit], target)


def run(command: list[str], folder: Path) -> None:
    if subprocess.run(command, cwd=folder, env=clean_environment()).returncode:
        raise NoDemo(f"That did not work in {folder}: {shlex.join(command)}")


def clean_environment() -> dict[str, str]:
    """The project has its own environment; nox's must not show through."""
    return {name: value for name, value in os.environ.items() if name not in OF_NOX}


# --- The server ----------------------------------------------------------------------------------


def free_port() -> int:
    """The usual port, or the next one that nobody listens on."""
    return next(port for port in range(USUAL_PORT, 65535) if is_free(port))


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def serve(target: Path, port: int, times: Times, *, once: bool) -> None:
    address = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        ["uv", "run", "flask", "dev", "--port", str(port)],
        cwd=target,
        env=clean_environment(),
        # On our own terms, the server gets Ctrl-C from us; else from the terminal.
        start_new_session=once,
    )
    try:
        with times.of("start"):
            wait_for(f"{address}/healthz", server)
        with times.of("first page"):
            wait_for(f"{address}/", server)
        times.show()
        if not once:
            show_browser(address)
            server.wait()
    except KeyboardInterrupt:
        pass
    finally:
        stop(server, by_hand=once)
    if once:
        print(f"It answered at {address} and has stopped.")


def wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.time() + PATIENCE
    while time.time() < deadline:
        if server.poll() is not None:
            raise NoDemo("The server ended before it answered; its last words are above.")
        try:
            with urlopen(url, timeout=10) as answer:  # noqa: S310  # Our own address.
                if answer.status == 200:
                    return
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise NoDemo(f"{url} did not answer within {PATIENCE} seconds.")


def show_browser(address: str) -> None:
    has_screen = os.name == "nt" or sys.platform == "darwin" or "DISPLAY" in os.environ
    if has_screen:
        webbrowser.open(address)


def stop(server: subprocess.Popen[bytes], *, by_hand: bool) -> None:
    """Stop it as Ctrl-C does, and see that it goes."""
    if by_hand and server.poll() is None:
        interrupt(server)
    try:
        server.wait(timeout=20)
    except subprocess.TimeoutExpired:
        server.kill()
        raise NoDemo("The server did not stop within 20 seconds of Ctrl-C.") from None


def interrupt(server: subprocess.Popen[bytes]) -> None:
    if os.name == "nt":
        server.terminate()
    else:
        os.killpg(server.pid, signal.SIGINT)


if __name__ == "__main__":
    main(sys.argv[1:])
