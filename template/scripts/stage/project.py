"""This project: its folder, its git, the answers it was made with, and the stages there are."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from shutil import disk_usage

PROJECT = Path(__file__).resolve().parents[2]
ANSWERS = ".copier-answers.yml"
STAGES = Path(__file__).with_name("stages.json")
ANSWER = re.compile(r"^(\w+): *(.*)$")
TAG = re.compile(r"^(v\d[\w.]*|\d+(\.\w+)+)$")  # A commit may begin with a digit, too.


class NoClimb(SystemExit):
    """The climb was not begun, or was undone; the message says why."""


def memory() -> str | None:
    """A folder in memory if there is one with room: a render writes and deletes much."""
    there = Path("/dev/shm")  # noqa: S108  # Only on Linux; elsewhere the usual place will do.
    roomy = there.is_dir() and os.access(there, os.W_OK) and disk_usage(there).free > 2**29
    return str(there) if roomy and "TMPDIR" not in os.environ else None


# --- git -----------------------------------------------------------------------------------------


def git(folder: Path, *arguments: str, given: str | None = None) -> str:
    """Run git there; `given` is what it reads from its standard input."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise NoClimb("git is not installed, and a climb is a merge: install it first.") from None
    if done.returncode:
        raise NoClimb(f"git says: {done.stderr.strip()}")
    return done.stdout.rstrip()


def refuse_without_history(project: Path = PROJECT) -> None:
    """A climb is a merge with what is committed, so something must be."""
    try:
        git(project, "rev-parse", "--show-toplevel")
    except NoClimb as error:
        raise NoClimb(
            f"{error}\nPut the project under git first: git init && git add --all && git commit"
        ) from None
    try:
        git(project, "rev-parse", "--verify", "--quiet", "HEAD")
    except NoClimb:
        raise NoClimb("Nothing is committed yet: git add --all && git commit") from None


def refuse_uncommitted_work(project: Path = PROJECT) -> None:
    """What is not committed could neither be merged nor be brought back."""
    if uncommitted(project):
        raise NoClimb("Commit your work first (`git status` lists it): then nothing can be lost.")
    if hidden := overlooked(project):
        raise NoClimb(
            f"git is told to overlook changes in {', '.join(hidden[:5])}: an edit there could "
            "neither be merged nor be brought back. Let it look again, and commit: git "
            "update-index --no-skip-worktree PATH, git update-index --no-assume-unchanged PATH"
        )


def uncommitted(project: Path = PROJECT) -> str:
    """What git doesn't have; untracked files are listed even where its settings hide them."""
    return git(project, "status", "--porcelain", "--untracked-files=normal", ".")


def overlooked(project: Path) -> list[str]:
    """The files that are here and were marked so that git doesn't look at them any more."""
    listed = filter(None, git(project, "ls-files", "-v", "-z", ".").split("\0"))
    marked = [line[2:] for line in listed if line[0].islower() or line[0] == "S"]
    return [path for path in marked if (project / path).is_file()]


# --- The answers ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answers:
    """What the answers file says about the template and the stage."""

    template: str
    version: str
    stage: str
    reached: str

    @classmethod
    def of(cls, project: Path = PROJECT) -> "Answers":
        file = project / ANSWERS
        if not file.exists():
            raise NoClimb(
                f"{file} is missing: it says which template this is made from. It is in git's "
                "history, if the project ever had it."
            )
        found = read_answers(file.read_text("utf-8"))
        names = ("_src_path", "_commit", "stage", "reached")
        return cls(*(found.get(name, "") for name in names))

    @property
    def is_released(self) -> bool:
        return bool(TAG.match(self.version))


def read_answers(text: str) -> dict[str, str]:
    """The plain lines of the file; a long value goes on in the next, indented one."""
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if match := ANSWER.match(line):
            name = match[1]
            found[name] = match[2].strip()
        elif name and line.startswith(" "):
            found[name] += " " + line.strip()
    return {name: unquoted(value) for name, value in found.items()}


def unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == "'":
        return value[1:-1].replace("''", "'")
    if len(value) > 1 and value[0] == value[-1] == '"':
        return str(json.loads(value)) if "\\x" not in value else value[1:-1]
    return value


# --- The stages ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stage:
    """A stage as its manifest has it."""

    name: str
    order: int
    title: str
    summary: str
    brings: tuple[str, ...]
    once: tuple[str, ...]
    costs: dict[str, str]


def all_stages(file: Path = STAGES) -> list[Stage]:
    """The stages that this version of the template knows, in their order."""
    if not file.exists():
        return []
    manifests = json.loads(file.read_text("utf-8"))
    return [
        Stage(
            name=found["name"],
            order=found["order"],
            title=found["title"],
            summary=found["summary"],
            brings=tuple(path for paths in found["capabilities"].values() for path in paths),
            once=tuple(found.get("once", [])),
            costs=found.get("costs", {}),
        )
        for found in sorted(manifests, key=lambda found: found["order"])
    ]


def stage_named(name: str) -> Stage:
    for stage in all_stages():
        if stage.name == name:
            return stage
    known = ", ".join(stage.name for stage in all_stages())
    raise NoClimb(f"{name!r} is not in this version of the template. Its stages: {known}.")


def stage_after(name: str) -> Stage | None:
    stages = all_stages()
    names = [stage.name for stage in stages]
    after = names.index(name) + 1 if name in names else len(names)
    return stages[after] if after < len(stages) else None


def is_below(path: str, roots: tuple[str, ...]) -> bool:
    """Whether a path is one of those, or lies in such a folder."""
    return any(f"/{path}" == root or f"/{path}".startswith(f"{root}/") for root in roots)


def say(text: str = "") -> None:
    print(text, file=sys.stdout, flush=True)
