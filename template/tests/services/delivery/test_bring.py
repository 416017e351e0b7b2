"""A release to the tenants: what is asked of `flask rollout`, and what stands there afterwards."""

import json
import os

import pytest

from scripts.delivery import Refused, rollout
from scripts.delivery.bring import AT_ONCE, bring
from scripts.delivery.values import add
from tests.services.delivery.cluster import PROJECT, Cluster

RECORD = ["--why", "a deployment", "--who", "ada"]
IMAGE = f"registry.example.com/app@sha256:{'1' * 64}"


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Two releases side by side; the first answers."""
    monkeypatch.setattr(rollout, "LOOK_SECONDS", 0)
    monkeypatch.setenv("GITHUB_ACTOR", "ada")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    cluster = Cluster(tmp_path)
    values = add(add(None, "r-1", IMAGE), "r-2", IMAGE)
    (tmp_path / "values.json").write_text(json.dumps(values))
    return cluster


def go(release: str = "r-2", how: str = "start", why: str = "") -> list[str]:
    said: list[str] = []
    bring(release, how, "staging", "app", why, said.append)
    return said


def test_a_good_release_becomes_everybodys_and_the_one_before_stays(cluster):
    said = go()

    assert cluster.rolled == [["status"], ["start", "r-2", *RECORD]]
    assert cluster.values["defaultRelease"] == cluster.values["workersRelease"] == "r-2"
    assert set(cluster.values["releases"]) == {"r-1", "r-2"}
    assert said[-1] == "Everybody has r-2, and its workers run."


def test_what_the_command_says_is_passed_on_once(cluster):
    said = go()

    lines = [line for line in said if line.startswith("start says")]
    assert lines == sorted(set(lines)) != []


@pytest.mark.parametrize(
    ("end", "says"),
    [
        (1, "isn't everybody's: see above"),
        (3, "is paused, and everybody stays"),
        (4, "ended with 4(.|\\n)*run this again"),
    ],
)
def test_one_that_is_bad_or_paused_stays_without_its_workers(cluster, end, says):
    cluster.ends(start=end)

    with pytest.raises(Refused, match=says):
        go()
    assert cluster.values["defaultRelease"] == cluster.values["workersRelease"] == "r-1"


def test_the_first_release_of_all_is_adopted(cluster):
    """Nothing is known of releases yet, so `status` refuses."""
    cluster.ends(status=1)

    go("r-1")

    assert cluster.rolled == [["status"], ["adopt", "r-1", *RECORD]]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("at-once", ["start", "r-2", "--waves", AT_ONCE]),
        ("resume", ["resume"]),
    ],
)
def test_there_is_more_than_one_way(cluster, how, words):
    go(how=how, why="mended")

    assert cluster.rolled[-1] == [*words, "--why", "mended", "--who", "ada"]


def test_where_there_is_one_wave_it_is_everybody():
    from app.stages.services.rollout import waves

    (wave,) = waves.read(PROJECT / AT_ONCE).wave

    assert wave.rest


def test_back_is_where_everybody_really_is(cluster):
    go()

    with pytest.raises(Refused, match="back, but not on r-2: see above, and give that name"):
        go("r-2", how="rollback")
    assert cluster.values["workersRelease"] == "r-2"


def test_back_means_the_workers_too(cluster):
    go()

    go("r-1", how="rollback", why="slow")

    assert cluster.rolled[-1] == ["rollback", "--why", "slow", "--who", "ada"]
    assert cluster.values["defaultRelease"] == cluster.values["workersRelease"] == "r-1"


def test_a_release_that_is_not_deployed_is_not_brought(cluster):
    with pytest.raises(Refused, match="'r-3' isn't deployed here"):
        go("r-3")


def test_the_owners_url_stays_in_no_cluster(cluster):
    go()

    deleted = [
        words[4] for words in cluster.commands if words[:1] + words[3:4] == ["kubectl", "delete"]
    ]
    assert {"job/rollout", "job/rollout-aside", "externalsecret/rollout"} <= set(deleted)
    assert list(cluster.folder.glob("rollout*.json")) == []


def test_a_rollout_that_was_cut_off_is_followed_again(cluster):
    began = rollout.Cluster("app", "rollout")
    began.kubectl("apply", "--filename", "-", given=rollout.manifests(words(), "app"))

    said: list[str] = []
    assert rollout.run([*words(), "--why", "again"], "app", said.append) == 0

    assert said[0] == "It runs already; this follows it."
    assert cluster.rolled == [["start", "r-2"]]


def test_one_that_is_over_is_no_answer_for_today(cluster):
    """It was never cleared away, as its pipeline was cut off; a rollback may have come since."""
    before = rollout.Cluster("app", "rollout")
    before.kubectl("apply", "--filename", "-", given=rollout.manifests(words(), "app"))
    for _ in range(3):
        before.job()
    cluster.ends(start=1)

    assert rollout.run(words(), "app", print) == 1
    assert cluster.rolled == [["start", "r-2"]] * 2


def test_a_cluster_that_is_away_for_a_moment_ends_no_rollout(cluster, monkeypatch):
    began = rollout.Cluster("app", "rollout")
    began.kubectl("apply", "--filename", "-", given=rollout.manifests(words(), "app"))
    (cluster.folder / "away").touch()
    monkeypatch.setattr(rollout.time, "sleep", lambda _: (cluster.folder / "away").unlink(True))

    assert rollout.followed(began, print) == 0


def test_one_that_stays_silent_is_left_to_itself(cluster, monkeypatch):
    monkeypatch.setattr(rollout, "SILENT_SECONDS", -1)

    with pytest.raises(Refused, match=r"No pod of job/rollout has begun(.|\n)*Run this again"):
        rollout.run(words("silent"), "app", print)


def words(release: str = "r-2") -> list[str]:
    return ["flask", "rollout", "start", release]


def test_two_rollouts_do_not_run_at_once_but_one_can_look_aside(cluster):
    began = rollout.Cluster("app", "rollout")
    began.kubectl("apply", "--filename", "-", given=rollout.manifests(words(), "app"))

    with pytest.raises(Refused, match="Another one runs: flask rollout start r-2"):
        rollout.run(words("r-3"), "app", print)
    assert cluster.run("rollout", "status").returncode == 0


def test_nothing_is_rolled_out_where_nothing_is_installed(tmp_path):
    done = Cluster(tmp_path).run("rollout", "status")

    assert "Nothing is installed in the namespace app: deploy a release first." in done.stderr


def test_a_rollout_says_which_commands_there_are(tmp_path):
    assert "rollout status" in Cluster(tmp_path).run("rollout").stderr
