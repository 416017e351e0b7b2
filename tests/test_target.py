"""Where a project is generated from and to, and what can be wrong there."""

import os
import shutil
import subprocess
import sys

import pytest
from copier import run_copy

from tests.world import ORDINARY, Project, Release, git

COPY = [sys.executable, "-m", "copier", "copy", "--defaults", "--data", "project_name=Acme"]


@pytest.fixture(scope="module")
def thin(tmp_path_factory) -> Release:
    release = Release.of_working_tree(tmp_path_factory.mktemp("thin")).thinned()
    return release.publish("v9999.0.1")


def copier_copy(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the real command as a person would, without a terminal to ask at."""
    return subprocess.run(
        [*COPY, *map(str, arguments)],
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def test_one_command_needs_no_trust_and_says_what_to_do_next(release, tmp_path):
    done = copier_copy(release.root, tmp_path / "acme")

    assert done.returncode == 0, done.stderr
    assert "Acme is ready" in done.stderr
    assert "distribution name: acme-app" in done.stderr
    assert "uv run flask dev" in done.stderr
    assert "can't be updated" not in done.stderr


def test_a_git_address_will_do(thin, tmp_path):
    run_copy(f"git+file://{thin.root}", tmp_path / "acme", data=ORDINARY, defaults=True, quiet=True)

    mine, theirs = Project(tmp_path / "acme").files, thin.generate(tmp_path / "other").files
    assert mine.pop(".copier-answers.yml") != theirs.pop(".copier-answers.yml")
    assert mine == theirs


def test_a_folder_without_git_history_will_do_but_cannot_climb(thin, tmp_path):
    shutil.copytree(thin.root, tmp_path / "unpacked", ignore=shutil.ignore_patterns(".git"))

    done = copier_copy(tmp_path / "unpacked", tmp_path / "acme")

    assert done.returncode == 0, done.stderr
    assert "This copy can't be updated or climb" in done.stderr


def test_without_git_the_message_says_so(thin, tmp_path):
    programs = tmp_path / "programs"
    programs.mkdir()

    done = copier_copy(thin.root, tmp_path / "acme", PATH=str(programs))

    assert done.returncode == 0, done.stderr
    assert "install git" in done.stderr


def test_a_folder_that_holds_other_files_keeps_them(thin, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")

    done = copier_copy(thin.root, tmp_path)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert (tmp_path / "app").is_dir()


def test_a_file_in_the_way_is_never_overwritten_unasked(thin, tmp_path):
    (tmp_path / "pyproject.toml").write_text("mine")

    done = copier_copy(thin.root, tmp_path)

    assert done.returncode == 1
    assert "conflict" in done.stderr
    assert (tmp_path / "pyproject.toml").read_text() == "mine"


def test_a_git_repository_of_the_teams_keeps_its_history(thin, tmp_path):
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "Begin")

    assert copier_copy(thin.root, tmp_path).returncode == 0

    assert "Begin" in git(tmp_path, "log", "--format=%s")
    assert Project(tmp_path).changes


def test_a_bad_answer_on_the_command_line_ends_with_the_reason(thin, tmp_path):
    done = copier_copy("--data", "description=two\nlines", thin.root, tmp_path / "acme")

    assert done.returncode != 0
    assert done.stderr.strip().endswith("one line without control characters.")
    assert not (tmp_path / "acme").exists()


@pytest.mark.parametrize("question", ["_tasks", "_migrations", "_jinja_extensions"])
def test_nothing_in_the_template_runs_a_program(repository, question):
    assert f"\n{question}:" not in (repository / "copier.yml").read_text("utf-8")
