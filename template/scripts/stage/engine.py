"""Copier, called with the options that make its merges true, and its refusals in plain words."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from scripts.stage.project import ANSWERS, Answers, NoClimb, memory

# Larger than any file, so that every file changed by both sides gets a true three-way merge.
# With its default of 3, Copier can put an edit into the wrong one of two similar places, silently.
WHOLE_FILES = "1000000"
COPIER = "copier>=9.19.1,<10"
# `-P`: what stands beside that file must not be taken for modules of Copier's.
QUICK = ("-P", str(Path(__file__).with_name("quick_copier.py")))
TELLING = ("Error", "Refused", "fatal:", "error:", "Invalid", "Updating is only supported")


def copier() -> list[str]:
    """The Copier that is installed here, or one that uv fetches for the occasion."""
    if find_spec("copier"):
        return [sys.executable, *QUICK]
    if shutil.which("uvx"):
        return ["uvx", "--quiet", "--from", COPIER, "python", *QUICK]
    raise NoClimb(f'Neither uv nor Copier is installed. One of them: pip install "{COPIER}"')


def update_command(stage: str | None) -> list[str]:
    """To that stage at the same version, or to the newest version."""
    where = ["--vcs-ref=:current:", "--data", f"stage={stage}"] if stage else []
    return [*copier(), "update", "--quiet", "--defaults", "--context-lines", WHOLE_FILES, *where]


def update(project: Path, stage: str | None) -> None:
    run(update_command(stage), project)


def render(project: Path, folder: Path) -> Path:
    """What the template gives today for this project's answers, in a folder of its own."""
    folder.mkdir()
    shutil.copy2(project / ANSWERS, folder / ANSWERS)
    again = ["recopy", "--quiet", "--defaults", "--overwrite", "--vcs-ref=:current:"]
    run([*copier(), *again], folder)
    return folder


def run(command: list[str], project: Path) -> None:
    answers = Answers.of(project)
    refuse_what_has_no_template(answers)
    folder = memory()
    quick = {"TMPDIR": folder} if folder else {}
    done = subprocess.run(
        command, cwd=project, env=os.environ | quick, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NoClimb(why_refused(done.stderr, answers))


def refuse_what_has_no_template(answers: Answers) -> None:
    if not answers.template or not answers.version:
        raise NoClimb(
            f"{ANSWERS} names no version of a template: this project was made from a folder "
            "without git, so there is nothing to compare it with. To mend that, generate again "
            "from the template's address into an empty folder, and copy its "
            f"{ANSWERS} here."
        )
    local = Path(answers.template).expanduser()
    if local.is_absolute() and not local.exists():
        raise NoClimb(gone(answers))


def why_refused(said: str, answers: Answers) -> str:
    """Copier's last line, and what to do about those that say too little."""
    lines = [line for line in said.strip().splitlines() if line.strip()]
    reason = next(
        (line.strip() for line in reversed(lines) if any(word in line for word in TELLING)),
        lines[-1].strip() if lines else "Copier said nothing.",
    )
    if "Unknown revision" in said:
        return (
            f"{reason}\nThe template has no such version: its tag is gone, or this project was "
            "made from changes that nobody committed. Set `_commit` in .copier-answers.yml to the "
            "nearest version that it has, commit that, and look closely at what changes."
        )
    if any(sign in said for sign in UNREACHABLE):
        return f"{gone(answers)}\n{reason}"
    return f"Copier refused: {reason}"


UNREACHABLE = (
    "unable to access",
    "Could not read from remote repository",
    "does not appear to be a git repository",
    "Local template must be a directory",
    "Repository not found",
    "not found: did you run git update-server-info",
)


def gone(answers: Answers) -> str:
    return (
        f"The template isn't at {answers.template} or can't be reached. If it moved, set "
        f"`_src_path` in {ANSWERS} to where it is now, commit that, and try again."
    )
