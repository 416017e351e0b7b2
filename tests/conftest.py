"""The world of these tests: the working tree as a tagged release, and projects made from it."""

import os
import shutil
from pathlib import Path

import plumbum
import pytest
import yaml

from tests.world import Project, Release, git

collect_ignore_glob = ["teams/*/files/*"]  # A team's tests run in the team's project.

GIT_SETTINGS = """\
[user]
    name = Test
    email = test@example.com
[init]
    defaultBranch = main
[gc]
    auto = 0
[maintenance]
    auto = false
[protocol "file"]
    allow = always
"""


@pytest.fixture(scope="session", autouse=True)
def own_settings(tmp_path_factory):
    """Neither the person's git settings nor their trusted templates may decide a test."""
    home = tmp_path_factory.mktemp("settings")
    (home / "gitconfig").write_text(GIT_SETTINGS)
    (home / "copier.yml").write_text("{}\n")
    for name, value in {
        "GIT_CONFIG_GLOBAL": home / "gitconfig",
        "GIT_CONFIG_NOSYSTEM": "1",
        "COPIER_SETTINGS_PATH": home / "copier.yml",
        "COPIER_CACHE_DIR": home / "cache",
        "XDG_CACHE_HOME": home / "cache",
    }.items():
        os.environ[name] = str(value)
        # Copier starts git through plumbum, which took its own copy of the environment.
        plumbum.local.env[name] = str(value)


@pytest.fixture(scope="session")
def release(tmp_path_factory) -> Release:
    """The working tree, committed and tagged as a version above all others."""
    return Release.of_working_tree(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="session")
def wiring(tmp_path_factory) -> Release:
    """Nothing but the files that hold an answer, and no git: fast enough for many names."""
    release = Release.of_working_tree(tmp_path_factory.mktemp("wiring"))
    others = [file for file in release.tracked("template") if file.suffix != ".jinja"]
    git(release.root, "rm", "--quiet", *map(str, others))  # With the folders that are empty then.
    shutil.rmtree(release.root / ".git")
    return release


@pytest.fixture(scope="session")
def prototype(release, tmp_path_factory) -> Project:
    """A project at the first stage. Look, don't touch: every test of the session shares it."""
    return release.generate(tmp_path_factory.mktemp("prototype") / "project")


@pytest.fixture(scope="session")
def last(release, tmp_path_factory) -> Project:
    """A project at the last stage, which `template/` is the tree of. Look, don't touch."""
    manifests = [yaml.safe_load(file.read_text()) for file in release.root.glob("stages/*/*.yml")]
    highest = max(manifests, key=lambda manifest: manifest["order"])["name"]
    return release.generate(tmp_path_factory.mktemp("last") / "project", stage=highest)


@pytest.fixture
def project(prototype, tmp_path) -> Project:
    """The same project under git, for one test alone."""
    return prototype.copy(tmp_path / "project")


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).parents[1]
