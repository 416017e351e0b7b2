"""Three pretend teams have lived in a prototype, and climb with everything they made."""

import time
from pathlib import Path

import pytest

from tests.climb.command import stage
from tests.teams.team import HERE, NAMES, Team
from tests.world import Release

# Each team's way. Who goes to the last stage at once skips the one before.
WAYS = {
    "tidy": ("services", "hardened"),
    "everywhere": ("hardened",),
    "many": ("services",),
}


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

    for count, reached in enumerate(WAYS[name]):
        climbs(team, reached, conflicts=set() if count else set(team.story.get("conflicts", {})))
        assert team.fingerprints() == before
        features_are_green(team)
        if not count:
            team.run("uv run flask db upgrade")
            assert "agree" in team.run("uv run flask db check")
        last = reached == WAYS[name][-1]
        data_moves(team, tmp_path, *["--again"][:count], *[] if last else ["--rows-only"])


def climbs(team: Team, reached: str, conflicts: set[str]) -> None:
    team.run(f"uv run flask stage climb {reached} --yes")
    assert unmerged(team) == conflicts
    assert team.missing() == []
    team.run("uv sync --quiet")
    team.project.commit()


@pytest.mark.parametrize("reached", ["services", "hardened"])
def test_a_project_without_edits_climbs_to_what_is_generated_there(
    reached, released, tmp_path, capsys
):
    project = released.generate(tmp_path / "made").copy(tmp_path / "project")
    there = released.generate(tmp_path / "there", stage=reached)
    began = time.monotonic()

    done = stage(project, "climb", reached, "--yes")

    assert done.returncode == 0, done.stderr
    seconds = time.monotonic() - began
    assert project.files == there.files
    with capsys.disabled():
        files = len(project.files)
        print(f"\nA climb to {reached} of {files} files, rehearsal included: {seconds:.1f} s")


def features_are_green(team: Team) -> None:
    team.run(f"uv run pytest -q -p no:cacheprovider {' '.join(team.tests)}", APP_ENV="testing")


def unmerged(team: Team) -> set[str]:
    return {line.split("\t", 1)[1] for line in team.project.unmerged.splitlines()}


def data_moves(team: Team, folder: Path, *options: str) -> None:
    """Promote what the team had in its prototype, and compare row by row, tenant by tenant."""
    more = " ".join([*options, team.story.get("look", "")])
    said = team.run(
        f"uv run python {HERE / 'promoted.py'} {folder / 'postgres'} {more}",
        PYTHONPATH=str(team.project.root),
    )
    print(said)
    assert "--again" in options or "Verified" in said
