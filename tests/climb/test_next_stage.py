"""To the next stage: it adds files, merges its wiring, and loses nothing of the team's."""

import pytest

from tests.climb.stages import REAL
from tests.climb.test_same_version import edit_everything
from tests.world import git

ADDED_BY_TOWER = {
    "app/lookout/__init__.py",
    "tests/lookout/__init__.py",
    "tests/lookout/test_lookout.py",
    "app/bell.py",
    "app/features/watch/__init__.py",
}
# What a stage changes in files that are there already.
WIRING = {".copier-answers.yml", "pyproject.toml", "wiring.toml"}


def test_a_stage_below_has_none_of_its_files(prototype):
    assert not ADDED_BY_TOWER & set(prototype.files)
    assert not (prototype.root / "app/lookout").exists()
    assert "lookout" not in prototype.read("wiring.toml")


def test_a_climb_adds_the_files_of_the_stage(project):
    project.update(stage=REAL[-1]).commit()
    before = set(project.files)

    project.update(stage="tower")

    assert set(project.files) - before == ADDED_BY_TOWER
    assert before <= set(project.files)
    assert "lookout = true" in project.read("wiring.toml")
    assert project.answers["stage"] == project.answers["reached"] == "tower"


def test_step_by_step_ends_where_generating_there_does(project, spire):
    project.update(stage="tower").commit()
    project.update(stage="spire")

    assert project.files == spire.files


def test_a_stage_may_be_skipped(project, spire):
    project.update(stage="spire")

    assert project.files == spire.files


def test_a_climb_keeps_every_edit(project):
    edit_everything(project)
    project.replace("wiring.toml", "'theirs'", "'ours'")
    before = project.commit().files

    project.update(stage="tower").commit()
    project.update(stage="spire")

    after = project.files
    kept = set(before) - WIRING
    assert {path: after[path] for path in kept} == {path: before[path] for path in kept}
    assert "title = 'ours'" in project.read("wiring.toml")
    assert "weathercock = true" in project.read("wiring.toml")
    assert 'dependencies = ["httpx>=0.28"]' in project.read("pyproject.toml")
    assert 'version = "4.2.0"' in project.read("pyproject.toml")
    assert "app/audit.py" not in after
    assert project.unmerged == ""


def test_the_whole_template_climbs_with_every_edit(whole, tmp_path):
    project = whole.generate(tmp_path / "made").copy(tmp_path / "project")
    edit_everything(project)
    before = project.commit().files

    project.update(stage="tower")

    after = project.files
    kept = set(before) - WIRING
    assert {path: after[path] for path in kept} == {path: before[path] for path in kept}
    assert project.unmerged == ""


def test_the_way_back_is_refused_before_anything_is_written(project):
    project.update(stage="tower").commit()
    before = project.files

    with pytest.raises(ValueError, match="has reached tower, and a stage is never taken back"):
        project.update(stage="prototype")

    assert project.files == before
    assert project.changes == ""


def test_a_sample_that_a_stage_brings_is_the_teams_from_then_on(project):
    project.update(stage="tower").commit()
    project.write("app/features/watch/__init__.py", '"""Ours now."""\n')
    project.commit()

    project.update(stage="spire")

    assert project.read("app/features/watch/__init__.py") == '"""Ours now."""\n'


def test_a_sample_that_the_team_deleted_stays_away(project):
    project.update(stage="tower").commit()
    git(project.root, "rm", "-r", "--quiet", "app/features/watch")
    project.commit()

    project.update(stage="spire")

    assert not (project.root / "app/features/watch").exists()


def test_a_file_of_the_teams_in_the_place_of_a_new_one_is_a_conflict_to_see(project):
    project.write("app/bell.py", "# Our own bell.\n")
    project.commit()

    project.update(stage="tower")

    assert "app/bell.py" in project.unmerged
    assert "# Our own bell." in project.read("app/bell.py")
    assert '"""Rings."""' in project.read("app/bell.py")


def test_edits_of_one_line_by_both_are_a_conflict_to_see(project):
    project.replace("wiring.toml", "between = true", "between = false\nours = true")
    project.commit()

    project.update(stage="tower")

    assert "wiring.toml" in project.unmerged
    assert "ours = true" in project.read("wiring.toml")
    assert "lookout = true" in project.read("wiring.toml")


def test_after_the_climb_the_next_steps_are_printed(project, capfd):
    project.update(stage="tower", quiet=False)

    said = capfd.readouterr().err
    assert "Moved from prototype to tower." in said
    assert "Climb the tower." in said
