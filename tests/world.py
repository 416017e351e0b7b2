"""What the tests are told about: a release of the template, and a project made from it."""

import runpy
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml
from copier import VcsRef, run_copy, run_update

REPOSITORY = Path(__file__).parents[1]
runpy.run_path(str(REPOSITORY / "template/scripts/stage/quick_copier.py"))  # As a climb does.
ORDINARY = {"project_name": "Stagecoach App"}

# Larger than any file: copier then leaves every file that both sides changed to git's three-way
# merge. With its default of 3 it puts some edits into the wrong place and says nothing.
WHOLE_FILES = 1_000_000

# How a copy or a merge goes doesn't depend on how many files there are; how long it takes does.
LEFT_OUT = (
    *(f"app/{package}" for package in ("auth", "billing", "analytics", "dev", "pages", "stages")),
    *("docs/hardened", "infra", "tests"),
)


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
        git(root, "init", "--quiet")
        return cls(root).take_working_tree()

    def take_working_tree(self) -> "Release":
        """Copy what git would commit, so that a test sees today's files and no leftovers."""
        listed = git(REPOSITORY, "ls-files", "-co", "--exclude-standard", "-z")
        for name in filter(None, listed.split("\0")):
            if (REPOSITORY / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(REPOSITORY / name, self.root / name)
        return self.publish("v9999.0.0")

    def thinned(self) -> "Release":
        """With a tenth of the files: the team's, the shared ones and those at the root."""
        git(self.root, "rm", "-r", "--quiet", *(f"template/{path}" for path in LEFT_OUT))
        return self

    def publish(self, version: str) -> "Release":
        self.commit(version)
        git(self.root, "tag", version)
        return self

    def commit(self, message: str) -> "Release":
        git(self.root, "add", "--all")
        git(self.root, "commit", "--quiet", "--allow-empty", "--message", message)
        return self

    def copy(self, target: Path) -> "Release":
        """A release to change, with the same history."""
        shutil.copytree(self.root, target)
        return Release(target)

    def write(self, path: str, text: str) -> "Release":
        (self.root / path).write_text(text, "utf-8")
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

    def update(self, *, quiet: bool = True, **answers: str) -> "Project":
        """Change answers, such as the stage, and stay at the version of the template."""
        return self.update_to(VcsRef.CURRENT, quiet=quiet, **answers)

    def update_to(
        self, version: str | VcsRef | None, *, quiet: bool = True, **answers: str
    ) -> "Project":
        """Update as the documentation says; without a version, to the newest there is."""
        run_update(
            self.root,
            data=answers,
            defaults=True,
            overwrite=True,
            quiet=quiet,
            vcs_ref=version,
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
        # Without a lock: a climb may be going on meanwhile, and must not meet ours.
        status = ("status", "--porcelain", "--untracked-files=all")
        return git(self.root, "--no-optional-locks", *status)

    @property
    def unmerged(self) -> str:
        return git(self.root, "ls-files", "--unmerged")
