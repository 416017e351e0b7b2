"""What a release is called: by the day and the commit, so the same commit has the same name."""

import re
import subprocess
from pathlib import Path

from scripts.delivery import Refused

PROJECT = Path(__file__).resolve().parents[2]
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


def name_of_commit(commit: str = "HEAD") -> str:
    """`20270131-1a2b3c4d5e`: sorts by day, and fits into the name of a Kubernetes service."""
    if commit == "HEAD" and git("status", "--porcelain"):
        raise Refused("There are changes that aren't committed: a release is a commit.")
    return git(
        "show", "--no-patch", "--date=format:%Y%m%d", "--format=%cd-%h", "--abbrev=10", commit
    )


def checked(name: str) -> str:
    """The name, if everything that carries it can: an image's tag, a service, a label."""
    if not NAME.fullmatch(name):
        raise Refused(
            f"{name!r} is no name of a release: 1 to 40 lower-case letters, digits and hyphens, "
            "and no hyphen at either end."
        )
    return name


def git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Refused(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()
