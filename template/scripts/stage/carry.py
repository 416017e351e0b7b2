"""Carries what a rehearsal made into the project: the files, and what git knows of conflicts.

The project is as it was when the rehearsal began, so the result is what Copier itself would have
written here; but what is decided takes seconds, and what is written a moment.
"""

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from scripts.stage.changes import Changes
from scripts.stage.project import git


def over(copy: Path, project: Path, found: Changes) -> None:
    """Write what is new or changed, delete what is gone, and tell git of the conflicts."""
    undecided = (*found.conflicts, *found.collisions)
    new = [path for path in (*found.new, *found.ignored) if not is_there(project / path)]
    for path in (*new, *found.changed, *found.replaced, *undecided):
        write(copy / path, project / path)
    for path in found.gone:
        delete(project / path, project)
    put_into_the_index(copy, project, undecided)


def is_there(file: Path) -> bool:
    """Whether a new file's place is taken: by one that git ignores, and so couldn't bring back."""
    return file.exists() or file.is_symlink()


def write(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)  # A link is replaced, not followed.
    shutil.copy2(source, target, follow_symlinks=False)


def delete(file: Path, project: Path) -> None:
    """Delete a file, and the folders that are empty without it."""
    file.unlink(missing_ok=True)
    with suppress(OSError):
        for folder in file.relative_to(project).parents[:-1]:
            (project / folder).rmdir()


def put_into_the_index(copy: Path, project: Path, undecided: tuple[str, ...]) -> None:
    """Make git know both sides of each file in conflict, and what they have in common."""
    if not undecided:
        return
    listed = git(copy, "ls-files", "--unmerged", "--full-name", "-z", "--", *undecided)
    for entry in filter(None, listed.split("\0")):
        keep(copy, project, content=entry.split()[1])
    git(project, "rm", "--cached", "--quiet", "--ignore-unmatch", "--", *undecided)
    git(project, "update-index", "-z", "--index-info", given=listed)


def keep(copy: Path, project: Path, content: str) -> None:
    """Put a content that the copy's git has into the project's git."""
    with subprocess.Popen(
        ["git", "cat-file", "blob", content], cwd=copy, stdout=subprocess.PIPE
    ) as reading:
        subprocess.run(
            ["git", "hash-object", "-w", "--stdin"],
            cwd=project,
            stdin=reading.stdout,
            stdout=subprocess.DEVNULL,
            check=True,
        )
