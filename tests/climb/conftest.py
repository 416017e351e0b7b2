import pytest

from tests.climb.stages import add_invented_stages
from tests.world import Project, Release


@pytest.fixture(scope="session")
def whole(tmp_path_factory) -> Release:
    """The working tree with two more stages, so that there is something to climb to."""
    release = Release.of_working_tree(tmp_path_factory.mktemp("whole"))
    add_invented_stages(release)
    return release


@pytest.fixture(scope="session")
def release(tmp_path_factory) -> Release:
    """The same, thinned."""
    release = Release.of_working_tree(tmp_path_factory.mktemp("template")).thinned()
    add_invented_stages(release)
    return release


@pytest.fixture(scope="session")
def prototype(release, tmp_path_factory) -> Project:
    """The first stage of that release. Look, don't touch."""
    return release.generate(tmp_path_factory.mktemp("prototype") / "project")


@pytest.fixture(scope="session")
def spire(release, tmp_path_factory) -> Project:
    """A project generated at the last stage. Look, don't touch."""
    return release.generate(tmp_path_factory.mktemp("spire") / "project", stage="spire")
