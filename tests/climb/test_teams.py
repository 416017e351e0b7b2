"""Three pretend teams have lived in a prototype, and climb with everything they made."""

import time
from pathlib import Path

import pytest

from tests.climb.command import stage
from tests.teams.team import HERE, NAMES, Team
from tests.world import Release

STAGE = "services"


@pytest.fixture(scope="session")
def released(tmp_path_factory) -> Release:
    """The working tree as it is, without invented stages."""
    return Release.of_working_tree(tmp_path_factory.mktemp("released"))


@pytest.mark.parametrize("name", NAMES)
def test_a_team_climbs_and_nothing_is_lost(name, released, tmp_path):
    team = Team.called(name, released, tmp_path)
    team.work()
    features_are_green(team)
    before = team.fingerprints()
    assert before

    team.run(f"uv run flask stage climb {STAGE} --yes")

    assert unmerged(team) == set(team.story.get("conflicts", {}))
    assert team.missing() == []
    assert team.fingerprints() == before
    team.run("uv sync --quiet")
    team.project.commit()
    features_are_green(team)
    team.run("uv run flask db upgrade")
    assert "agree" in team.run("uv run flask db check")
    data_moves(team, tmp_path)


def test_a_project_without_edits_climbs_to_what_is_generated_there(released, tmp_path, capsys):
    project = released.generate(tmp_path / "made").copy(tmp_path / "project")
    there = released.generate(tmp_path / "there", stage=STAGE)
    began = time.monotonic()

    done = stage(project, "climb", STAGE, "--yes")

    assert done.returncode == 0, done.stderr
    seconds = time.monotonic() - began
    assert project.files == there.files
    with capsys.disabled():
        print(f"\nA climb of {len(project.files)} files, rehearsal included: {seconds:.1f} s")


def features_are_green(team: Team) -> None:
    team.run(f"uv run pytest -q -p no:cacheprovider {' '.join(team.tests)}", APP_ENV="testing")


def unmerged(team: Team) -> set[str]:
    return {line.split("\t", 1)[1] for line in team.project.unmerged.splitlines()}


def data_moves(team: Team, folder: Path) -> None:
    """Promote what the team had in its prototype, and compare row by row, tenant by tenant."""
    said = team.run(
        f"uv run python {HERE / 'promoted.py'} {folder / 'postgres'} {team.story.get('look', '')}",
        PYTHONPATH=str(team.project.root),
    )
    print(said)
    assert "Verified" in said
