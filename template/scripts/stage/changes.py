"""What an update did to each file: new, changed, gone, in conflict, or a binary replaced."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from scripts.stage import engine
from scripts.stage.project import PROJECT, git, memory

EMPTY = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"  # The file that both sides added begins empty.
FEW = 4
HABITS = ("core.autocrlf=", "core.eol=", "core.filemode=", "core.symlinks=")


@dataclass(frozen=True)
class Changes:
    """The paths, kind by kind."""

    new: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    collisions: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return any(vars(self).values())

    def lines(self) -> list[str]:
        """One line a file; those of a folder that is new share one."""
        kinds = {
            "new": by_new_folder(self.new),
            "IGNORED": by_folder(self.ignored),
            "changed": self.changed,
            "GONE": self.gone,
            "REPLACED": self.replaced,
            "CONFLICT": self.conflicts,
            "COLLISION": self.collisions,
        }
        return [f"{kind:10}{path}" for kind, paths in kinds.items() for path in paths]

    def warnings(self) -> list[str]:
        """What somebody must look at, and why."""
        said = []
        if self.collisions:
            said.append(
                "COLLISION: you have a file where the template brings one of the same name. "
                "Give yours another name first, then the climb adds the template's."
            )
        if self.ignored:
            said.append(
                "IGNORED: the file is new, and your .gitignore covers it. `git add --all` leaves "
                "it out, and then it's missing in every clone: git add --force PATH"
            )
        if self.gone:
            said.append(
                "GONE: the template doesn't have the file any more, and your edits in it go with "
                "it. It stays in git's history: git restore --source=HEAD PATH"
            )
        if self.replaced:
            said.append(
                "REPLACED: a binary file can't be merged, so the template's takes the place of "
                "yours. Yours comes back with: git restore --source=HEAD PATH"
            )
        return said


def by_new_folder(paths: list[str]) -> list[str]:
    """All that comes in a folder which this project doesn't have yet is one line."""
    folder_of = {path: topmost_new_folder(path) for path in paths}
    inside = Counter(filter(None, folder_of.values()))
    folders = [f"{folder}/ ({counted(count)})" for folder, count in sorted(inside.items())]
    return by_folder([path for path in paths if not folder_of[path]]) + folders


def counted(files: int) -> str:
    return "1 file" if files == 1 else f"{files} files"


def topmost_new_folder(path: str) -> str:
    folders = (folder.as_posix() for folder in reversed(PurePosixPath(path).parents[:-1]))
    return next((folder for folder in folders if not (PROJECT / folder).is_dir()), "")


def by_folder(paths: list[str]) -> list[str]:
    """Many files of one folder are one line, `folder/ (12 files)`."""
    shown: dict[str, list[str]] = {}
    for path in paths:
        shown.setdefault("/".join(path.split("/")[:3][: path.count("/")]), []).append(path)
    lines = []
    for folder, inside in sorted(shown.items()):
        together = folder and len(inside) >= FEW
        lines += [f"{folder}/ ({len(inside)} files)"] if together else inside
    return lines


def since(project: Path) -> Changes:
    """What is different from the last commit in a project that was just updated."""
    undecided = unmerged(project)
    listed = git(project, "diff", "HEAD", "--relative", "--name-status", "--no-renames", "-z")
    fields = listed.split("\0")
    kinds = dict(zip(fields[1::2], fields[0::2], strict=False))
    kinds |= dict.fromkeys(untracked(project), "A")
    binary = binaries(project)
    changes = Changes()
    for path, kind in sorted((kinds | dict.fromkeys(undecided, "U")).items()):
        if kind == "U":
            (changes.collisions if undecided[path] else changes.conflicts).append(path)
        elif kind == "A":
            changes.new.append(path)
        elif kind == "D":
            changes.gone.append(path)
        else:
            (changes.replaced if path in binary else changes.changed).append(path)
    return changes


def unmerged(project: Path) -> dict[str, bool]:
    """The paths in conflict, each with whether both sides added the file."""
    found: dict[str, bool] = {}
    for line in filter(None, git(project, "ls-files", "--unmerged", "-z", ".").split("\0")):
        about, path = line.split("\t", 1)
        _, content, side = about.split()
        found[path] = found.get(path, False) or (side == "1" and content == EMPTY)
    return found


def untracked(project: Path) -> tuple[str, ...]:
    listed = git(project, "ls-files", "--others", "--exclude-standard", "-z", ".")
    return tuple(filter(None, listed.split("\0")))


def ignored(copy: Path) -> list[str]:
    """What was made that git doesn't look at."""
    listed = git(copy, "ls-files", "--others", "--ignored", "--exclude-standard", "-z", ".")
    return list(filter(None, listed.split("\0")))


def binaries(project: Path) -> set[str]:
    counted = git(project, "diff", "HEAD", "--relative", "--numstat", "--no-renames", "-z")
    lines = (line.split("\t", 2) for line in counted.split("\0") if line.startswith("-\t-"))
    return {path for _, _, path in lines}


@contextmanager
def rehearsal(stage: str | None) -> Iterator[tuple[Path, Changes]]:
    """Climb in a copy of what is committed; gives the copy, and what became of each file."""
    repository = Path(git(PROJECT, "rev-parse", "--show-toplevel"))
    inner = git(PROJECT, "rev-parse", "--show-prefix")  # Not empty where projects share one.
    with TemporaryDirectory(dir=memory(), ignore_cleanup_errors=True) as folder:
        copy = Path(folder) / "copy"
        git(PROJECT, "clone", "--quiet", "--no-hardlinks", *habits(), str(repository), str(copy))
        engine.update(copy / inner, stage)
        yield copy / inner, replace(since(copy / inner), ignored=ignored(copy / inner))


def habits() -> list[str]:
    """How this repository writes files, where it differs from what is usual here."""
    settings = git(PROJECT, "config", "--list", "--local").splitlines()
    return [f"--config={line}" for line in settings if line.startswith(HABITS)]


def rehearse(stage: str | None) -> Changes:
    """What a climb would do to each file."""
    with rehearsal(stage) as (_, found):
        return found
