"""A release in a cluster. Helm is played by a program that keeps the values it's given: there is
no cluster here; infra/tests/helm renders the chart with the real engine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
IMAGE = f"registry.example.com/app@sha256:{'1' * 64}"
DEPLOY = (sys.executable, "-m", "scripts.delivery", "deploy")
HELM = f"""\
#!{sys.executable}
import json, pathlib, sys
here = pathlib.Path(__file__).parent
kept, said = here / "kept.json", here / "said.jsonl"
with said.open("a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
if (here / "away").exists():
    sys.exit("Error: Kubernetes cluster unreachable")
match sys.argv[1:]:
    case ["list", *_]:
        print(json.dumps([{{"name": "app"}}] if kept.exists() else []))
    case ["get", "values", *_]:
        print(kept.read_text())
    case ["upgrade", *rest]:
        files = [rest[place + 1] for place, word in enumerate(rest) if word == "--values"]
        kept.write_text(pathlib.Path(files[-1]).read_text())
"""


class Cluster:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        program = folder / "helm"
        program.write_text(HELM)
        program.chmod(0o755)

    def deploy(self, *arguments: str, environment: str = "staging"):
        return subprocess.run(
            [*DEPLOY, *arguments, "--environment", environment],
            cwd=PROJECT,
            env=os.environ | {"PATH": f"{self.folder}{os.pathsep}{os.environ['PATH']}"},
            check=False,
            capture_output=True,
            text=True,
        )

    @property
    def values(self):
        file = self.folder / "kept.json"
        return json.loads(file.read_text()) if file.exists() else None

    @property
    def commands(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.folder / "said.jsonl").read_text().splitlines()]


@pytest.fixture
def cluster(tmp_path):
    if not (PROJECT / "infra/helm/values-staging.yaml").exists():
        pytest.skip("there is no chart yet")
    return Cluster(tmp_path)


def test_a_release_comes_gets_everybody_and_the_next_stands_beside_it(cluster):
    cluster.deploy("add", "r-1", IMAGE)
    done = cluster.deploy("add", "r-2", IMAGE.replace("1", "2"))

    assert done.returncode == 0, done.stderr
    assert set(cluster.values["releases"]) == {"r-1", "r-2"}
    assert cluster.values["defaultRelease"] == "r-1"
    assert json.loads(done.stdout) == cluster.values


def test_the_values_of_the_environment_come_before_those_of_the_releases(cluster):
    cluster.deploy("add", "r-1", IMAGE)

    upgrade = cluster.commands[-1]
    files = [upgrade[place + 1] for place, word in enumerate(upgrade) if word == "--values"]
    assert [Path(file).name for file in files] == ["values-staging.yaml", "releases.json"]
    assert {"--wait", "--rollback-on-failure"} <= set(upgrade)


def test_looking_changes_nothing(cluster):
    done = cluster.deploy("add", "r-1", IMAGE, "--look")

    assert json.loads(done.stdout)["defaultRelease"] == "r-1"
    assert cluster.values is None


def test_a_cluster_that_is_away_is_not_an_empty_one(cluster):
    """Taken for empty, it would give the new release every tenant at once."""
    cluster.deploy("add", "r-1", IMAGE)
    (cluster.folder / "away").touch()

    done = cluster.deploy("add", "r-2", IMAGE)

    assert done.returncode == 1
    assert "helm list failed:\nError: Kubernetes cluster unreachable" in done.stderr
    assert cluster.commands[-1][0] == "list"


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
    done = cluster.deploy(*arguments, environment=environment)

    assert done.returncode == 1
    assert says in done.stderr
    assert cluster.values is None


def test_without_helm_it_says_what_is_missing(cluster):
    done = subprocess.run(
        [*DEPLOY, "drop", "r-1", "--environment", "staging"],
        cwd=PROJECT,
        env=os.environ | {"PATH": "/nowhere"},
        check=False,
        capture_output=True,
        text=True,
    )

    assert "helm isn't installed" in done.stderr
