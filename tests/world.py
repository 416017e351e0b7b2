"""What the tests are told about: a release of the template, and a project made from it."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml
from copier import VcsRef, run_copy, run_update

REPOSITORY = Path(__file__).parents[1]
ORDINARY = {"project_name": "Stagecoach App"}

# Larger than any file: copier then leaves every file that both sides changed to git's three-way
# merge. With its default of 3 it puts some edits into the wrong place and says nothing.
WHOLE_FILES = 1_000_000


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass
class Release:
    """A git repository that holds the template, with a version tag."""

    root: Path

    @classmethod
    def of_working_tree(cls, root: Path) -> "Release":
        """Copy what git would commit, so that a test sees today's files and no leftovers."""
        listed = git(REPOSITORY, "ls-files", "-co", "--exclude-standard", "-z")
        for name in filter(None, listed.split("\0")):
            if (REPOSITORY / name).is_file():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(REPOSITORY / name, root / name)
        git(root, "init", "--quiet")
        return cls(root).publish("v9999.0.0")

    def publish(self, version: str) -> "Release":
        git(self.root, "add", "--all")
        git(self.root, "commit", "--quiet", "--allow-empty", "--message", version)
        git(self.root, "tag", version)
        return self

    def tracked(self, folder: str) -> list[Path]:
        return [Path(name) for name in git(self.root, "ls-files", "-z", folder).split("\0") if name]

    def generate(self, target: Path, **answers: str) -> "Project":
        """Make a project, never with `unsafe`: the day copier needs trust, this fails."""
        data = ORDINARY | answers
        run_copy(str(self.root), target, data=data, defaults=True, overwrite=True, quiet=True)
        return Project(target)


@dataclass
class Project:
    """A generated project."""

    root: Path

    def copy(self, target: Path) -> "Project":
        """Copy it, put it under git and commit it, as its team would."""
        shutil.copytree(self.root, target)
        git(target, "init", "--quiet")
        return Project(target).commit()

    def commit(self) -> "Project":
        git(self.root, "add", "--all")
        git(self.root, "commit", "--quiet", "--allow-empty", "--message", "Work of a day")
        return self

    def update(self, **answers: str) -> "Project":
        """Update as the documentation says, staying at the version it has."""
        run_update(
            self.root,
            data=answers,
            defaults=True,
            overwrite=True,
            quiet=True,
            vcs_ref=VcsRef.CURRENT,
            context_lines=WHOLE_FILES,
        )
        return self

    def read(self, path: str) -> str:
        return (self.root / path).read_text("utf-8")

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, "utf-8")

    def replace(self, path: str, old: str, new: str) -> None:
        assert old in self.read(path), f"{path} no longer says {old!r}"
        self.write(path, self.read(path).replace(old, new, 1))

    @property
    def answers(self) -> dict[str, str]:
        return yaml.safe_load(self.read(".copier-answers.yml"))

    @property
    def files(self) -> dict[str, bytes]:
        """Every file with its content, git's own aside."""
        return {
            path.relative_to(self.root).as_posix(): path.read_bytes()
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and ".git" not in path.relative_to(self.root).parts
        }

    @property
    def changes(self) -> str:
        return git(self.root, "status", "--porcelain", "--untracked-files=all")

    @property
    def unmerged(self) -> str:
        return git(self.root, "ls-files", "--unmerged")
