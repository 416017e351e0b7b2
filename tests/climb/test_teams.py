"""Three pretend teams have lived in a prototype, and climb with everything they made."""

import time

import pytest

from tests.teams.team import NAMES, Team
from tests.world import Release

STAGE = "services"


@pytest.fixture(scope="session")
def released(tmp_path_factory) -> Release:
    """The working tree as it is, without invented stages."""
    return Release.of_working_tree(tmp_path_factory.mktemp("released"))


@pytest.mark.parametrize("name", NAMES)
def test_a_team_climbs_and_nothing_is_lost(name, released, tmp_path, record_property):
    team = Team.called(name, released, tmp_path)
    team.work()
    features_are_green(team)
    before = team.fingerprints()
    assert before

    began = time.monotonic()
    said = team.run(f"uv run flask stage climb {STAGE} --yes")
    record_property("seconds", time.monotonic() - began)

    print(said)
    assert unmerged(team) == set(team.story.get("conflicts", {}))
    assert team.missing() == []
    assert team.fingerprints() == before
    team.run("uv sync --quiet")
    team.project.commit()
    features_are_green(team)
    team.run("uv run flask db upgrade")
    assert "agree" in team.run("uv run flask db check")


def features_are_green(team: Team) -> None:
    team.run(f"uv run pytest -q -p no:cacheprovider {' '.join(team.tests)}", APP_ENV="testing")


def unmerged(team: Team) -> set[str]:
    return {line.split("\t", 1)[1] for line in team.project.unmerged.splitlines()}
