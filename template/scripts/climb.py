"""Moves this project to a newer version of its template, or to another stage.

    python scripts/climb.py             to the newest version, at the same stage
    python scripts/climb.py services    to that stage, at the same version

It rehearses in a copy first, shows what would change, and asks. Nothing is committed for you.
"""

import argparse
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

PROJECT = Path(__file__).resolve().parents[1]

# Larger than any file, so that every file changed by both sides gets a true three-way merge.
# With its default of 3, Copier can put an edit into the wrong one of two similar places, silently.
WHOLE_FILES = "1000000"
COPIER = "copier>=9.19.1,<10"
KINDS = {"A": "new", "M": "changed", "D": "gone", "U": "CONFLICT"}


class NoClimb(SystemExit):
    """The climb was not begun, or was undone; the message says why."""


def main(arguments: list[str]) -> None:
    wish = wishes(arguments)
    refuse_uncommitted_work()
    changes = rehearse(wish.stage)
    print("\n".join(changes) or "Nothing would change.")
    if wish.look or not changes:
        return
    if not (wish.yes or agreed()):
        raise NoClimb("Nothing was changed.")
    update(PROJECT, wish.stage)
    print(next_steps())


def wishes(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "stage", nargs="?", help="the stage to climb to; without it: a newer version"
    )
    parser.add_argument("--look", action="store_true", help="show what would change, and stop")
    parser.add_argument("--yes", action="store_true", help="don't ask")
    return parser.parse_args(arguments)


def refuse_uncommitted_work() -> None:
    """What is not committed could neither be merged nor be brought back."""
    if git(PROJECT, "status", "--porcelain", "."):
        raise NoClimb("Commit your work first (`git status` lists it): then nothing can be lost.")


def rehearse(stage: str | None) -> list[str]:
    """Climb in a copy, and tell what became of each file."""
    repository = git(PROJECT, "rev-parse", "--show-toplevel")
    inner = git(PROJECT, "rev-parse", "--show-prefix")  # Not empty where projects share one.
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        git(PROJECT, "clone", "--quiet", "--no-hardlinks", repository, str(copy))
        update(copy / inner, stage)
        return changed_files(copy / inner)


def update(project: Path, stage: str | None) -> None:
    where = ["--vcs-ref=:current:", "--data", f"stage={stage}"] if stage else []
    arguments = ["update", "--quiet", "--defaults", "--context-lines", WHOLE_FILES, *where]
    done = subprocess.run(
        [*copier(), *arguments], cwd=project, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NoClimb(why_refused(done.stderr))


def why_refused(said: str) -> str:
    """Copier's last line, and what to do about the one that says too little."""
    reason = (said.strip().splitlines() or ["Copier said nothing."])[-1]
    if "Unknown revision" in reason:
        return (
            f"{reason}\nThe template has no such version: its tag is gone, or this project was "
            "made from changes that nobody committed. Set `_commit` in .copier-answers.yml to the "
            "nearest version that it has, commit that, and look closely at what changes."
        )
    return f"Copier refused: {reason}"


def copier() -> list[str]:
    """The Copier that is installed here, or one that uv fetches for the occasion."""
    return [sys.executable, "-m", "copier"] if find_spec("copier") else ["uvx", COPIER]


def changed_files(project: Path) -> list[str]:
    """One line for each file: new, changed, gone, or a conflict."""
    undecided = conflicts(project)
    git(project, "add", "--all", "--intent-to-add", ".")
    listed = git(project, "diff", "HEAD", "--relative", "--name-status", "--no-renames")
    kinds = {path: kind for kind, path in (line.split("\t", 1) for line in listed.splitlines())}
    kinds |= dict.fromkeys(undecided, "U")
    return [f"{KINDS.get(kind, kind):9} {path}" for path, kind in sorted(kinds.items())]


def conflicts(project: Path) -> list[str]:
    listed = git(project, "diff", "--relative", "--name-only", "--diff-filter=U")
    return listed.splitlines()


def agreed() -> bool:
    return sys.stdin.isatty() and input("Do it? [y/N] ").strip().lower() in ("y", "yes")


def next_steps() -> str:
    steps = [f"Decide the conflict in {path}" for path in conflicts(PROJECT)]
    steps += ["uv sync", "uv run flask db upgrade", "uv run nox", "git add --all && git commit"]
    lines = [f"{number}. {step}" for number, step in enumerate(steps, start=1)]
    back = "Or back to where you were: git reset --hard && git clean -di"
    return "\n".join(["", "Done. What is left for you:", "", *lines, "", back])


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NoClimb(f"git says: {done.stderr.strip()}")
    return done.stdout.strip()


if __name__ == "__main__":
    main(sys.argv[1:])
