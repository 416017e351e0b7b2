"""From the last release to the working tree: what a team meets when the template has moved on."""

import pytest

from tests.climb.test_same_version import edit_everything
from tests.world import REPOSITORY, Release, git


@pytest.fixture
def released(tmp_path) -> Release:
    """This repository with its releases, as far as the clone has them."""
    tags = git(REPOSITORY, "tag", "--list", "v*", "--merged").split()
    if not tags:
        pytest.skip("there is no release yet to come from")
    git(tmp_path, "clone", "--quiet", "--no-local", str(REPOSITORY), "template")
    return Release(tmp_path / "template")


def test_a_team_of_the_last_release_loses_nothing(released, tmp_path):
    project = released.generate(tmp_path / "made").copy(tmp_path / "project")
    edit_everything(project)
    project.commit()
    git(released.root, "rm", "-r", "--quiet", ".")
    released.take_working_tree()

    project.update_to("v9999.0.0")

    assert project.read("README.md") == "# Ours, from top to bottom\n"
    assert project.read("app/features/orders/models.py") == "TABLES = ('orders',)\n"
    assert "httpx>=0.28" in project.read("pyproject.toml")
    assert project.read("app/db.py").endswith("\n\nOURS = True\n")
    assert project.read("app/mail.py").startswith("# First line.\n")


def test_before_the_first_release_a_project_follows_the_newest_commit(release, tmp_path):
    template = release.copy(tmp_path / "template")
    git(template.root, "tag", "--delete", *git(template.root, "tag").split())
    project = template.generate(tmp_path / "made").copy(tmp_path / "project")
    edit_everything(project)
    project.commit()
    template.write("template/app/weather.py", "From a newer commit.\n").commit("Newer")

    project.update_to(None).commit()
    project.update(stage="tower")

    assert project.read("app/weather.py") == "From a newer commit.\n"
    assert project.read("app/health.py") == "# Rewritten.\n"
    assert project.answers["reached"] == "tower"
    assert project.unmerged == ""
