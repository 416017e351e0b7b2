"""A release in a cluster. Programs play helm and kubectl, as there is no cluster here;
infra/tests/helm renders the chart with the real engine."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.services.delivery.cluster import DELIVERY, PROJECT, Cluster

IMAGE = f"registry.example.com/app@sha256:{'1' * 64}"
STAGING = ("--environment", "staging")


@pytest.fixture
def cluster(tmp_path):
    return Cluster(tmp_path)


def test_a_release_comes_gets_everybody_and_the_next_stands_beside_it(cluster):
    cluster.run("deploy", "add", "r-1", IMAGE, *STAGING)
    done = cluster.run("deploy", "add", "r-2", IMAGE.replace("1", "2"), *STAGING)

    assert done.returncode == 0, done.stderr
    assert set(cluster.values["releases"]) == {"r-1", "r-2"}
    assert cluster.values["defaultRelease"] == "r-1"
    assert json.loads(done.stdout) == cluster.values


def test_the_values_of_the_environment_come_before_those_of_the_releases(cluster):
    cluster.run("deploy", "add", "r-1", IMAGE, *STAGING)

    upgrade = cluster.commands[-1]
    files = [upgrade[place + 1] for place, word in enumerate(upgrade) if word == "--values"]
    assert [Path(file).name for file in files] == ["values-staging.yaml", "releases.json"]
    assert {"--wait", "--rollback-on-failure"} <= set(upgrade)


def test_looking_changes_nothing(cluster):
    done = cluster.run("deploy", "add", "r-1", IMAGE, *STAGING, "--look")

    assert json.loads(done.stdout)["defaultRelease"] == "r-1"
    assert cluster.values is None


def test_a_cluster_that_is_away_is_not_an_empty_one(cluster):
    """Taken for empty, it would give the new release every tenant at once."""
    cluster.run("deploy", "add", "r-1", IMAGE, *STAGING)
    (cluster.folder / "away").touch()

    done = cluster.run("deploy", "add", "r-2", IMAGE, *STAGING)

    assert done.returncode == 1
    assert "helm list failed:\nError: Kubernetes cluster unreachable" in done.stderr
    assert cluster.commands[-1][:2] == ["helm", "list"]


@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        (["add", "r-1"], "staging", "Which image?"),
        (["add", "r-1", "app:latest"], "staging", "by its digest"),
        (["add", "R 1", IMAGE], "staging", "no name of a release"),
        (["finish", "r-1"], "staging", "'r-1' isn't deployed here. Deployed are: none"),
        (["add", "r-1", IMAGE], "moon", "values-moon.yaml. Known are: dev, prod, staging."),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_changes(
    cluster, arguments, environment, says
):
    done = cluster.run("deploy", *arguments, "--environment", environment)

    assert done.returncode == 1
    assert says in done.stderr
    assert cluster.values is None


def test_without_helm_it_says_what_is_missing(cluster):
    done = subprocess.run(
        [*DELIVERY, "deploy", "drop", "r-1", *STAGING],
        cwd=PROJECT,
        env=os.environ | {"PATH": "/nowhere"},
        check=False,
        capture_output=True,
        text=True,
    )

    assert "helm isn't installed" in done.stderr


def test_what_the_release_before_cannot_live_with_is_not_deployed(cluster):
    cluster.run("deploy", "add", "20270131-1a2b3c4d5e", IMAGE, *STAGING)
    (cluster.folder / "refused").write_text("- features_0007 drops a column")

    done = cluster.run("deploy", "add", "20270201-ffffffffff", IMAGE, *STAGING)

    assert done.returncode == 1
    assert "features_0007 drops a column" in done.stderr
    assert "20270131-1a2b3c4d5e couldn't live with it" in done.stderr
    assert cluster.commands[-1] == ["flask", "rollout", "check", "--git", "1a2b3c4d5e"]
    assert list(cluster.values["releases"]) == ["20270131-1a2b3c4d5e"]
