"""`flask stage doctor`: what of this stage is missing, what differs, and what is the team's."""

from tests.climb.command import refusal, stage


def doctor(project, code: int = 0) -> str:
    done = stage(project, "doctor")
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_a_fresh_project_is_whole(project):
    said = doctor(project)

    assert "Every file and all wiring of this stage are in place." in said
    assert "Missing" not in said
    assert "Differs" not in said


def test_a_project_that_climbed_is_whole(project):
    project.update(stage="services")

    assert "in place" in doctor(project)


def test_edits_are_listed_and_are_no_fault(project):
    project.write("app/turns.py", "# Ours.\n" + project.read("app/turns.py"))

    assert "Differs from the template: merged in each climb:\n  app/turns.py" in doctor(project)


def test_a_folder_in_the_place_of_a_file_is_listed(project):
    (project.root / "gunicorn.conf.py").unlink()
    project.write("gunicorn.conf.py/ours.py", "# Ours.\n")

    assert "Differs from the template: merged in each climb:\n  gunicorn" in doctor(project)


def test_what_is_the_teams_is_told_apart(project):
    project.write("README.md", "# Ours\n")
    (project.root / "app/features/plans.toml").unlink()

    said = doctor(project)

    assert "  README.md\n" in said.partition("Yours by design")[2]
    assert "  app/features/plans.toml (deleted)\n" in said


def test_a_missing_file_is_found_and_brought_back(project):
    before = project.read("app/turns.py")
    (project.root / "app/turns.py").rename(project.root / "app/rota.py")

    assert "  app/turns.py" in doctor(project, 1).partition("Missing")[2]
    assert "Brought back: app/turns.py" in stage(project, "doctor", "--bring-back", "app").stdout
    assert project.read("app/turns.py") == before
    assert "is here already" in refusal(project, "doctor", "--bring-back", "app/turns.py")
    assert "has no app/none.py" in refusal(project, "doctor", "--bring-back", "app/none.py")


def test_wiring_that_a_merge_lost_is_found(project):
    project.update(stage="services")
    project.replace("pyproject.toml", '    "joserfc>=1.8,<2",\n', "")
    project.replace("pyproject.toml", ', "services"]', "]")

    said = doctor(project, 1)

    assert "the group services lacks joserfc" in said
    assert "default-groups lacks services" in said


def test_a_dependency_that_moved_to_the_teams_own_is_there(project):
    project.replace("pyproject.toml", '    "orjson>=3.11",\n', "")
    project.replace("pyproject.toml", "dependencies = []", 'dependencies = ["orjson==3.11.4"]')

    assert "lacks" not in doctor(project)


def test_a_conflict_that_nobody_decided_is_found(project):
    project.replace("wiring.toml", "between = true", "between = false")
    project.commit()
    stage(project, "climb", "tower", "--yes")
    project.commit()

    assert "Conflict not decided:\n  wiring.toml" in doctor(project, 1)


def test_a_stage_typed_by_hand_is_found(project):
    project.replace(".copier-answers.yml", "stage: prototype", "stage: services")

    assert "it was edited by hand" in doctor(project, 1)


def test_without_the_template_it_looks_by_name(project, tmp_path):
    project.replace(".copier-answers.yml", project.answers["_src_path"], str(tmp_path / "none"))

    assert "so only by name" in doctor(project)
