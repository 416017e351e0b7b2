import pytest

from tests.climb.stages import add_invented_stages
from tests.world import Project, Release, git

# How a merge goes doesn't depend on how many files there are; how long it takes does.
LEFT_OUT = (
    *(f"app/{package}" for package in ("auth", "billing", "analytics", "dev", "pages", "stages")),
    *("docs/hardened", "infra", "tests"),
)


@pytest.fixture(scope="session")
def whole(tmp_path_factory) -> Release:
    """The working tree with two more stages, so that there is something to climb to."""
    release = Release.of_working_tree(tmp_path_factory.mktemp("whole"))
    add_invented_stages(release)
    return release


@pytest.fixture(scope="session")
def release(tmp_path_factory) -> Release:
    """The same with a tenth of the files: the team's, the shared ones and those at the root."""
    release = Release.of_working_tree(tmp_path_factory.mktemp("template"))
    for path in LEFT_OUT:
        git(release.root, "rm", "-r", "--quiet", f"template/{path}")
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
