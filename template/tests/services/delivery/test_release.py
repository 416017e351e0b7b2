"""Names of releases, and what is in one."""

import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.delivery import Refused, bill, release

PROJECT = Path(__file__).parents[3]


def test_a_commit_has_one_name(repository):
    commit = repository.commit("app/db.py")

    assert release.name_of_commit() == f"20270131-{commit[:10]}"
    assert release.name_of_commit() == release.checked(release.name_of_commit())


def test_what_is_not_committed_is_no_release(repository):
    repository.commit("app/db.py")
    (repository.folder / "app/db.py").write_text("unfinished")

    with pytest.raises(Refused, match="aren't committed"):
        release.name_of_commit()


def test_a_folder_without_git_has_no_releases(tmp_path, monkeypatch):
    monkeypatch.setattr(release, "PROJECT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    with pytest.raises(Refused, match="not a git repository"):
        release.name_of_commit()


@pytest.mark.parametrize("name", ["", "Main", "1.0", "a" * 41, "-first", "last-", "a b", "a\n"])
def test_a_name_that_not_everything_can_carry_is_refused(name):
    with pytest.raises(Refused, match="no name of a release"):
        release.checked(name)


def test_the_bill_lists_what_the_image_installs():
    if not (PROJECT / "uv.lock").exists():
        pytest.skip("no uv.lock: nothing is installed from one here")

    made = bill.bill_of("20270131-1a2b3c4d5e")

    parts = {part["name"] for part in made["components"]}
    assert made["bomFormat"] == "CycloneDX"
    assert made["metadata"]["component"]["version"] == "20270131-1a2b3c4d5e"
    assert {"flask", "gunicorn", "psycopg", "joserfc"} <= parts
    assert not {"pytest", "ruff", "playwright"} & parts, "the image has no development tools"
    assert all(hashes_of(part) for part in made["components"])


def hashes_of(part) -> list:
    return [place["hashes"] for place in part["externalReferences"] if place.get("hashes")]


def test_the_bill_is_made_as_the_image_is():
    """Both leave the same groups out, or the bill would be of something else."""
    dockerfile = (PROJECT / "Dockerfile").read_text("utf-8")

    assert "uv sync --locked --no-group dev\n" in dockerfile
    assert "--locked --no-group dev" in " ".join(bill.EXPORT)


def test_a_lock_that_is_out_of_date_is_no_bill(tmp_path):
    if not (PROJECT / "uv.lock").exists():
        pytest.skip("no uv.lock: nothing is installed from one here")
    shutil.copy(PROJECT / "uv.lock", tmp_path)
    other = (PROJECT / "pyproject.toml").read_text("utf-8").replace("flask>=3.1", "flask>=3.0")
    (tmp_path / "pyproject.toml").write_text(other)

    with pytest.raises(Refused, match="up to date"):
        bill.bill_of("20270131-1a2b3c4d5e", tmp_path)


@pytest.mark.parametrize(
    "command", ["changed", "check", "name", "bill", "deploy", "bring", "rollout", "plan"]
)
def test_each_command_says_what_it_does(command):
    said = subprocess.run(
        ["python3", "-m", "scripts.delivery", command, "--help"],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    assert "usage: python3 -m scripts.delivery" in said
