"""A pretend team: what it made of its prototype, told in `team.yml`, and what must still be there.

`steps` are what the team did, in their order: a command (`run`), files laid over the project
(`copy`), a file renamed (`move`), a text put into a file (`file` with `after`, `before` or
`instead_of`, and `put`). Every text that was put is looked for again after the climb.
"""

import hashlib
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from tests.world import Project, Release

HERE = Path(__file__).parent
# By these nox tells uv to install everything into the session's environment.
OF_NOX = ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "UV_PYTHON")
NAMES = sorted(path.parent.name for path in HERE.glob("*/team.yml"))


@cache
def packages() -> str:
    """uv's cache, as it is outside of the tests: they have settings and caches of their own."""
    found = dict(os.environ)
    found.pop("XDG_CACHE_HOME", None)
    asked = ["uv", "cache", "dir"]
    return subprocess.run(asked, env=found, capture_output=True, text=True).stdout.strip()


@dataclass
class Team:
    """A team and its project."""

    name: str
    project: Project

    @classmethod
    def called(cls, name: str, release: Release, folder: Path) -> "Team":
        """A team with a fresh prototype under git, installed."""
        made = release.generate(folder / "made", project_name=f"{name.title()} Product")
        team = cls(name, made.copy(folder / "project"))
        team.run("uv sync --quiet")
        return team

    @property
    def story(self) -> dict[str, Any]:
        return yaml.safe_load((HERE / self.name / "team.yml").read_text("utf-8"))

    def __getattr__(self, name: str) -> Any:
        return self.story[name]

    # --- What the team did -----------------------------------------------------------------------

    def work(self) -> None:
        for step in self.story["steps"]:
            self.do(step)
        self.run("uv run ruff check --quiet --fix .")
        self.run("uv run ruff format --quiet .")
        self.project.commit()

    def do(self, step: dict[str, str]) -> None:
        if "run" in step:
            self.run(f"uv run {step['run']}" if not step["run"].startswith("uv ") else step["run"])
        elif "copy" in step:
            shutil.copytree(HERE / self.name / step["copy"], self.project.root, dirs_exist_ok=True)
        elif "move" in step:
            self.move(step["move"], step["to"])
        else:
            self.edit(step)

    def move(self, path: str, to: str) -> None:
        (self.project.root / path).rename(self.project.root / to)

    def edit(self, step: dict[str, str]) -> None:
        put, path = step["put"], self.path_of(step)
        if "after" in step:
            self.project.replace(path, step["after"], step["after"] + put)
        elif "before" in step:
            self.project.replace(path, step["before"], put + step["before"])
        else:
            self.project.replace(path, step["instead_of"], put)

    def path_of(self, step: dict[str, str]) -> str:
        """The file of an edit; a migration's name is known by its beginning."""
        (found,) = self.project.root.glob(step["file"])
        return found.relative_to(self.project.root).as_posix()

    def run(self, command: str, **settings: str) -> str:
        """Run a command in the project as people do, in the project's own environment.

        And with temporary files of its own: pytest shuts the folder that all of its runs share,
        and another team's PostgreSQL, which runs as somebody else, may be in there. Its name is
        short, for a browser makes a socket in it.
        """
        with TemporaryDirectory(prefix="team-", ignore_cleanup_errors=True) as temporary:
            Path(temporary).chmod(0o755)
            # Bytecode stands beside the project, whose files are compared: a start without it takes
            # twice as long.
            places = {
                "TMPDIR": temporary,
                "PYTHONPYCACHEPREFIX": str(self.project.root.with_name("bytecode")),
            }
            done = subprocess.run(
                shlex.split(command),
                cwd=self.project.root,
                env=environment() | places | settings,
                capture_output=True,
                text=True,
            )
        assert done.returncode == 0, f"{command}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
        return done.stdout

    # --- What must be there again ----------------------------------------------------------------

    def edits(self) -> Iterator[tuple[str, str]]:
        """Each file with a text that the team put into it."""
        for step in self.story["steps"]:
            if "put" in step:
                yield self.path_of(step), step["put"]

    def missing(self) -> list[str]:
        """The edits that can't be found in the project."""
        return [
            f"{path}: {put}"
            for path, put in self.edits()
            if squeezed(put) not in squeezed(self.project.read(path))
        ]

    def fingerprints(self) -> dict[str, str]:
        """A hash for each file of the features and of their tests, and of what else is theirs."""
        roots = ("app/features/", "tests/features/", *self.story.get("theirs", []))
        return {
            path: hashlib.sha256(content).hexdigest()
            for path, content in self.project.files.items()
            if path.startswith(tuple(roots)) and "__pycache__" not in path
        }


def squeezed(text: str) -> str:
    """The text without blanks: ruff breaks lines where it likes."""
    return "".join(text.split())


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in OF_NOX}
    return kept | {
        "UV_CACHE_DIR": packages(),
        "UV_LINK_MODE": "copy",  # From a disk to a folder in memory nothing else works quietly.
        "PYTHONDONTWRITEBYTECODE": "",
        "APP_ENV": "development",
    }
