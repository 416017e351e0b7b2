"""`scripts/climb.py`, the command that a team types."""

import os
import shutil
import subprocess
import sys

from tests.world import Project, git


def climb(project: Project, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "scripts/climb.py", *arguments],
        cwd=project.root,
        env=os.environ,
        input=typed,
        capture_output=True,
        text=True,
    )


def test_it_shows_what_would_change_and_changes_nothing(project):
    done = climb(project, "tower", "--look")

    assert done.returncode == 0, done.stderr
    assert "new       app/bell.py" in done.stdout
    assert "changed   wiring.toml" in done.stdout
    assert "gone" not in done.stdout
    assert project.changes == ""


def test_without_a_yes_nothing_changes(project):
    done = climb(project, "tower", typed="n\n")

    assert done.returncode == 1
    assert "Nothing was changed" in done.stderr
    assert project.changes == ""


def test_it_climbs_and_says_what_is_left_to_do(project):
    done = climb(project, "tower", "--yes")

    assert done.returncode == 0, done.stderr
    assert project.answers["reached"] == "tower"
    assert "uv run flask db upgrade" in done.stdout
    assert "Decide the conflict" not in done.stdout


def test_a_conflict_is_announced_and_counted_among_the_steps(project):
    project.write("app/bell.py", "# Our own bell.\n")
    project.commit()

    done = climb(project, "tower", "--yes")

    assert "CONFLICT  app/bell.py" in done.stdout
    assert "1. Decide the conflict in app/bell.py" in done.stdout


def test_uncommitted_work_stops_it(project):
    project.write("app/db.py", "# Not committed.\n")

    done = climb(project, "tower", "--yes")

    assert done.returncode == 1
    assert "Commit your work first" in done.stderr
    assert project.read("app/db.py") == "# Not committed.\n"


def test_the_way_back_is_refused_in_a_sentence(project):
    project.update(stage="tower").commit()

    done = climb(project, "prototype", "--yes")

    assert done.returncode == 1
    assert done.stderr.strip().endswith("a stage is never taken back")
    assert "Traceback" not in done.stderr
    assert project.changes == ""


def test_an_unknown_stage_is_refused_in_a_sentence(project):
    done = climb(project, "castle", "--yes")

    assert done.returncode == 1
    assert "'castle' is not in" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_new_is_said_so(project):
    done = climb(project)

    assert done.stdout.strip() == "Nothing would change."


def test_outside_of_git_it_says_so(prototype):
    done = climb(prototype)

    assert done.returncode == 1
    assert "not a git repository" in done.stderr


def test_it_climbs_inside_of_a_larger_repository(prototype, tmp_path):
    project = prototype.copy(tmp_path / "products" / "acme")
    shutil.rmtree(project.root / ".git")
    (tmp_path / "products/notes.txt").write_text("of another product")
    git(tmp_path / "products", "init", "--quiet")
    project.commit()

    done = climb(project, "tower", "--yes")

    assert done.returncode == 0, done.stderr
    assert "new       app/bell.py" in done.stdout
    assert project.answers["reached"] == "tower"


def test_a_version_that_the_template_has_lost_is_explained(project):
    project.replace(".copier-answers.yml", "v9999.1.0", "v0.0.7")
    project.commit()

    done = climb(project, "--yes")

    assert done.returncode == 1
    assert "v0.0.7" in done.stderr
    assert "The template has no such version" in done.stderr
    assert "Traceback" not in done.stderr
    assert project.changes == ""
