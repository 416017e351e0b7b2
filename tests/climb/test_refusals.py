"""What `flask stage` refuses: each with a sentence that says what to do, and nothing is touched."""

import shutil

from tests.climb.command import refusal, stage
from tests.climb.stages import REAL
from tests.world import Project, git


def test_uncommitted_work(project):
    project.write("app/db.py", "# Not committed.\n")

    assert "Commit your work first" in refusal(project, "climb", "tower", "--yes")
    assert project.read("app/db.py") == "# Not committed.\n"


def test_uncommitted_work_that_git_is_told_not_to_show(project):
    """What isn't seen would be deleted by an undo, or written over."""
    git(project.root, "config", "status.showUntrackedFiles", "no")
    project.write("app/mine.py", "# Written today.\n")

    assert "Commit your work first" in refusal(project, "climb", "tower", "--yes")

    (project.root / "app/mine.py").unlink()
    project.write("wiring.toml", project.read("wiring.toml") + "# Only here.\n")
    for mark in ("--skip-worktree", "--assume-unchanged"):
        git(project.root, "update-index", mark, "wiring.toml")
        said = refusal(project, "climb", "tower", "--yes")
        assert "overlook changes in wiring.toml" in said
        git(project.root, "update-index", mark.replace("--", "--no-"), "wiring.toml")


def test_no_git(prototype):
    said = refusal(prototype, "climb", "tower", "--yes")

    assert "not a git repository" in said
    assert "git init" in said


def test_nothing_committed(prototype, tmp_path):
    shutil.copytree(prototype.root, tmp_path / "project")
    git(tmp_path / "project", "init", "--quiet")

    said = refusal(Project(tmp_path / "project"), "climb", "tower", "--yes")

    assert "Nothing is committed yet" in said


def test_the_way_back(project):
    project.update(stage="tower").commit()

    said = refusal(project, "climb", "prototype", "--yes")

    assert "has reached tower, and a stage is never taken back" in said
    assert project.changes == ""


def test_the_stage_that_is_reached_already(project):
    project.update(stage="tower").commit()

    said = refusal(project, "climb", "tower", "--yes")

    assert "is at tower already" in said
    assert "flask stage doctor" in said


def test_an_unknown_stage(project):
    said = refusal(project, "climb", "castle", "--yes")

    assert "'castle' is not in this version" in said
    assert ", ".join([*REAL, "tower", "spire"]) in said


def test_an_unknown_stage_where_the_list_of_stages_is_gone(project):
    (project.root / "scripts/stage/stages.json").unlink()
    project.commit()

    assert "castle" in refusal(project, "climb", "castle", "--yes")


def test_a_version_that_the_template_has_lost(project):
    project.replace(".copier-answers.yml", "v9999.1.0", "v0.0.7")
    project.commit()

    said = refusal(project, "climb", "tower", "--yes")

    assert "v0.0.7" in said
    assert "The template has no such version" in said
    assert project.changes == ""


def moved(project, address: str) -> None:
    path = project.answers["_src_path"]
    project.replace(".copier-answers.yml", path, address)
    project.commit()


def test_a_template_whose_folder_is_gone(project, tmp_path):
    moved(project, str(tmp_path / "nowhere"))

    said = refusal(project, "climb", "tower", "--yes")

    assert "The template isn't at" in said
    assert "set `_src_path`" in said
    assert project.changes == ""


def test_a_template_whose_address_is_gone(project, tmp_path):
    moved(project, f"git+file://{tmp_path}/nowhere")

    said = refusal(project, "update", "--yes")

    assert "The template isn't at" in said
    assert project.changes == ""


def test_a_project_that_was_made_without_git(project):
    project.replace(".copier-answers.yml", "_commit: v9999.1.0\n", "")
    project.commit()

    said = refusal(project, "climb", "tower", "--yes")

    assert "names no version of a template" in said


def test_an_answers_file_that_is_gone(project):
    (project.root / ".copier-answers.yml").unlink()
    project.commit()

    assert ".copier-answers.yml is missing" in refusal(project, "show")


def test_an_untagged_template_is_followed_by_its_commits(release, tmp_path):
    template = release.copy(tmp_path / "template")
    git(template.root, "tag", "--delete", *git(template.root, "tag").split())
    project = template.generate(tmp_path / "made").copy(tmp_path / "project")
    template.write("template/app/weather.py", '"""Newer."""\n').commit("Newer")

    assert "no release" in stage(project, "show", "--quick").stdout
    climbed = stage(project, "climb", "tower", "--yes")
    project.commit()
    updated = stage(project, "update", "--yes")

    assert climbed.returncode == updated.returncode == 0, climbed.stderr + updated.stderr
    assert project.answers["reached"] == "tower"
    assert project.read("app/weather.py") == '"""Newer."""\n'
