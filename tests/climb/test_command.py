"""`flask stage`, the command that a team types: what it shows, does and says."""

import json
import shutil
import subprocess
import sys

from tests.climb.command import refusal, stage
from tests.climb.stages import REAL
from tests.world import WHOLE_FILES, git

# --- show ----------------------------------------------------------------------------------------


def test_show_says_where_the_project_is_and_what_is_next(project):
    done = stage(project, "show", "--quick")

    assert done.returncode == 0, done.stderr
    assert "Stage     prototype: one process, one database" in done.stdout
    assert "Template  v9999.1.0 of " in done.stdout
    assert "Next      services: four processes" in done.stdout
    assert "To go there: uv run flask stage climb services" in done.stdout


def test_show_says_what_the_next_stage_costs(project):
    done = stage(project, "show", "--quick")

    assert "What it costs:" in done.stdout
    assert "four on PostgreSQL" in done.stdout


def test_show_rehearses_and_changes_nothing(project):
    done = stage(project, "show")

    assert done.returncode == 0, done.stderr
    assert "new       docs/" in done.stdout
    assert "changed   pyproject.toml" in done.stdout
    assert project.changes == ""


def test_show_at_the_last_stage_says_so(project):
    project.update(stage="spire").commit()

    assert "this is the last stage" in stage(project, "show").stdout


def test_show_says_that_a_commit_is_no_release(project):
    project.replace(".copier-answers.yml", "v9999.1.0", "v9999.1.0-3-gabcdef0")
    project.commit()

    done = stage(project, "show", "--quick")

    assert "no release, so an update goes to the template's newest commit" in done.stdout


def test_show_works_before_the_project_is_under_git(prototype):
    done = stage(prototype, "show")

    assert done.returncode == 0
    assert "Stage     prototype" in done.stdout
    assert "can't be told" in done.stdout
    assert "git init" in done.stdout


# --- climb ---------------------------------------------------------------------------------------


def test_a_look_shows_what_would_change_and_changes_nothing(project):
    done = stage(project, "climb", "tower", "--look")

    assert done.returncode == 0, done.stderr
    assert "new       app/bell.py" in done.stdout
    assert "changed   wiring.toml" in done.stdout
    assert "GONE" not in done.stdout
    assert project.changes == ""


def test_without_a_yes_nothing_changes(project):
    done = stage(project, "climb", "tower", typed="n\n")

    assert done.returncode == 1
    assert "Nothing was changed" in done.stderr
    assert project.changes == ""


def test_it_climbs_and_says_what_is_left_to_do_and_the_way_back(project):
    done = stage(project, "climb", "tower", "--yes")

    assert done.returncode == 0, done.stderr
    assert project.answers["reached"] == "tower"
    assert "1. uv sync" in done.stdout
    assert "uv run flask db upgrade" in done.stdout
    assert "uv run flask stage undo" in done.stdout
    assert "Decide the conflict" not in done.stdout
    assert "not in place" not in done.stdout


def test_it_writes_just_what_copier_would_have_written(project, tmp_path):
    project.write("app/bell.py", "# Our own bell.\n")
    project.write("app/mine.py", "# Nothing to do with the template.\n")
    project.replace("wiring.toml", "between = true", "between = false")
    project.replace("Dockerfile", "EXPOSE 8000", "EXPOSE 9000")
    (project.root / "gunicorn.conf.py").unlink()
    other = project.commit().copy(tmp_path / "other")

    done = stage(project, "climb", "tower", "--yes")
    to_tower = ["--vcs-ref=:current:", "--data", "stage=tower", f"--context-lines={WHOLE_FILES}"]
    plain = [sys.executable, "-m", "copier", "update", "--quiet", "--defaults", *to_tower]
    subprocess.run(plain, cwd=other.root, check=True)

    assert done.returncode == 0, done.stderr
    assert project.unmerged == other.unmerged != ""
    assert project.files == other.files
    assert project.changes == other.changes


def test_a_file_that_git_ignores_is_never_written_over(project):
    project.write(".git/info/exclude", "/app/bell.py\n")
    project.write("app/bell.py", "# Nobody could bring this back.\n")

    done = stage(project, "climb", "tower", "--yes")

    assert done.returncode == 0, done.stderr
    assert project.read("app/bell.py") == "# Nobody could bring this back.\n"
    assert "app/bell.py" in stage(project, "doctor").stdout


def test_a_new_file_that_the_team_ignores_is_named(project):
    """It wouldn't be committed, and would be missing in every clone."""
    project.write(".gitignore", project.read(".gitignore") + "\nbell.py\n")

    done = stage(project.commit(), "climb", "tower", "--yes")

    assert done.returncode == 0, done.stderr
    assert "IGNORED   app/bell.py" in done.stdout
    assert "git add --force PATH" in done.stdout
    assert (project.root / "app/bell.py").exists()


def test_what_is_committed_while_it_asks_is_not_climbed_over(project):
    code = """
import subprocess, sys
from scripts.stage import __main__ as command
show = command.show_changes
def work_meanwhile(found):
    subprocess.run(["git", "commit", "--quiet", "--allow-empty", "--message", "More"], check=True)
    show(found)
command.show_changes = work_meanwhile
command.main(["climb", "tower", "--yes"])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project.root, capture_output=True, text=True
    )

    assert done.returncode == 1
    assert "Something was committed meanwhile" in done.stderr
    assert project.changes == ""


def test_undo_takes_back_what_is_not_committed(project):
    before = project.files
    stage(project, "climb", "tower", "--yes")

    done = stage(project, "undo", "--yes")

    assert done.returncode == 0, done.stderr
    assert project.files == before
    assert project.changes == ""


def test_undo_takes_back_a_climb_with_conflicts(project):
    project.write("app/bell.py", "# Our own bell.\n")
    project.replace("wiring.toml", "between = true", "between = false")
    before = project.commit().files
    stage(project, "climb", "tower", "--yes")
    assert project.unmerged

    stage(project, "undo", "--yes")

    assert project.files == before
    assert project.changes == ""


def test_undo_of_nothing_touches_nothing(project):
    project.write("app/mine.py", "# Not committed.\n")

    assert "No climb is open here" in refusal(project, "undo", "--yes")
    assert project.read("app/mine.py") == "# Not committed.\n"


def test_once_committed_a_climb_is_no_longer_open(project):
    stage(project, "climb", "tower", "--yes")
    project.commit()

    assert "No climb is open here" in refusal(project, "undo", "--yes")


def test_the_next_climb_waits_until_the_last_one_is_committed(project):
    stage(project, "climb", "tower", "--yes")

    assert "The climb to tower isn't committed yet" in refusal(project, "climb", "spire", "--yes")


def test_a_conflict_is_announced_and_counted_among_the_steps(project):
    project.replace("wiring.toml", "between = true", "between = false")
    project.commit()

    done = stage(project, "climb", "tower", "--yes")

    assert "CONFLICT  wiring.toml" in done.stdout
    assert "1. Decide the conflict in wiring.toml" in done.stdout
    assert "python3 -m scripts.stage undo" in done.stdout


def test_a_file_of_yours_in_the_place_of_a_new_one_is_a_collision(project):
    project.write("app/bell.py", "# Our own bell.\n")
    project.commit()

    done = stage(project, "climb", "tower", "--yes")

    assert "COLLISION app/bell.py" in done.stdout
    assert "Give yours another name first" in done.stdout
    assert "# Our own bell." in project.read("app/bell.py")


def test_a_file_that_the_template_gave_up_is_named_before_it_goes(release, tmp_path):
    template = release.copy(tmp_path / "template")
    project = template.generate(tmp_path / "made").copy(tmp_path / "project")
    git(template.root, "rm", "--quiet", "template/app/turns.py")
    template.publish("v9999.2.0")

    done = stage(project, "update", "--look")

    assert "GONE      app/turns.py" in done.stdout
    assert "git restore --source=HEAD" in done.stdout


def test_a_binary_that_would_be_replaced_is_named(release, tmp_path):
    template = release.copy(tmp_path / "template")
    (template.root / "template/stamp.png").write_bytes(bytes(range(256)))
    template.publish("v9999.2.0")
    project = template.generate(tmp_path / "made").copy(tmp_path / "project")
    (project.root / "stamp.png").write_bytes(bytes(reversed(range(256))))
    project.commit()

    done = stage(project, "climb", "tower", "--look")

    assert "REPLACED  stamp.png" in done.stdout


def test_the_newest_version_arrives_at_the_same_stage(release, tmp_path):
    template = release.copy(tmp_path / "template")
    project = template.generate(tmp_path / "made").copy(tmp_path / "project")
    template.write("template/app/weather.py", '"""Newer."""\n').publish("v9999.2.0")

    done = stage(project, "update", "--yes")

    assert done.returncode == 0, done.stderr
    assert project.read("app/weather.py") == '"""Newer."""\n'
    assert project.answers["stage"] == "prototype"


def test_two_versions_behind_is_one_update(release, tmp_path):
    template = release.copy(tmp_path / "template")
    project = template.generate(tmp_path / "made").copy(tmp_path / "project")
    project.write("app/turns.py", "# Ours.\n" + project.read("app/turns.py"))
    project.commit()
    template.write("template/app/weather.py", '"""Newer."""\n').publish("v9999.2.0")
    template.write("template/app/weather.py", '"""Newest."""\n').publish("v9999.3.0")

    done = stage(project, "update", "--yes")

    assert done.returncode == 0, done.stderr
    assert project.read("app/weather.py") == '"""Newest."""\n'
    assert project.read("app/turns.py").startswith("# Ours.\n")
    assert project.answers["_commit"] == "v9999.3.0"


def test_nothing_new_is_said_so(project):
    assert "Nothing would change." in stage(project, "update").stdout


def test_it_climbs_inside_of_a_larger_repository(prototype, tmp_path):
    project = prototype.copy(tmp_path / "products" / "acme")
    shutil.rmtree(project.root / ".git")
    (tmp_path / "products/notes.txt").write_text("of another product")
    git(tmp_path / "products", "init", "--quiet")
    project.commit()
    (tmp_path / "products/notes.txt").write_text("edited meanwhile")

    done = stage(project, "climb", "tower", "--yes")

    assert done.returncode == 0, done.stderr
    assert "new       app/bell.py" in done.stdout
    assert project.answers["reached"] == "tower"
    stage(project, "undo", "--yes")
    assert not (project.root / "app/bell.py").exists()
    assert (tmp_path / "products/notes.txt").read_text() == "edited meanwhile"


def test_every_command_explains_itself(project):
    for command in ("show", "climb", "update", "doctor", "undo"):
        assert f"usage: flask stage {command}" in stage(project, command, "--help").stdout
    assert "python3 -m scripts.stage" in stage(project, "--help").stdout


def test_a_project_carries_the_manifests_of_all_stages(project):
    names = [found["name"] for found in json.loads(project.read("scripts/stage/stages.json"))]

    assert names == [*REAL, "tower", "spire"]
