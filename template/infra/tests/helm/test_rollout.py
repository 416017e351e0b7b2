"""The job of a rollout: in no installation, and as locked up as everything else."""

import pytest

from tests.helm.chart import ENVIRONMENTS, POINTERS, SERVICES, TWO, Rendered, render, values_of
from tests.helm.test_network import Network
from tests.helm.test_render import accepted

WORDS = ["flask", "rollout", "start", "1.5.0"]


def with_rollout(environment: str, **more) -> Rendered:
    values = {"releases": TWO, "rollout": {"run": WORDS}} | POINTERS | more
    return render(values_of(environment, values))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_installation_has_no_rollout(environment):
    manifests = render(values_of(environment))

    assert "rollout" not in {one["metadata"]["name"] for one in manifests}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_it_runs_the_command_in_the_code_of_the_newest_release(environment):
    job = with_rollout(environment).named("Job", "rollout")
    (container,) = job["spec"]["template"]["spec"]["containers"]

    assert container["args"] == WORDS
    assert container["image"] == TWO["1.5.0"]["image"]
    assert container["env"] == [{"name": "SERVES", "value": "auth"}]
    assert {"configMapRef": {"name": "settings-1-5-0"}} in container["envFrom"]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_it_can_change_nothing_but_what_it_is_for(environment):
    job = with_rollout(environment).named("Job", "rollout")
    spec = job["spec"]["template"]["spec"]
    (container,) = spec["containers"]

    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["automountServiceAccountToken"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert set(container["resources"]["limits"]) == {"cpu", "memory", "ephemeral-storage"}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_kubernetes_takes_each_manifest_of_it(environment):
    manifests = with_rollout(environment)

    assert "rollout" in {one["metadata"]["name"] for one in manifests}
    for manifest in manifests:
        accepted(manifest)


def test_an_end_of_the_commands_own_is_not_tried_again():
    """1 is bad and rolled back: tried again, it would begin once more."""
    first, _second = with_rollout("prod").named("Job", "rollout")["spec"]["podFailurePolicy"][
        "rules"
    ]

    assert first["action"] == "FailJob"
    assert first["onExitCodes"] == {
        "containerName": "rollout",
        "operator": "In",
        "values": [1, 2, 3],
    }


def test_the_owners_url_comes_with_it_and_goes_with_it():
    manifests = with_rollout("prod")
    (container,) = manifests.named("Job", "rollout")["spec"]["template"]["spec"]["containers"]
    secret = manifests.named("ExternalSecret", "rollout")

    assert {"secretRef": {"name": "rollout"}} in container["envFrom"]
    assert [one["secretKey"] for one in secret["spec"]["data"]] == ["MIGRATIONS_DATABASE_URL"]
    assert secret["spec"]["target"]["creationPolicy"] == "Owner"


def test_one_aside_shares_no_name_with_the_one_that_runs():
    aside = with_rollout("prod", rollout={"run": ["flask", "rollout", "status"], "aside": True})
    names = {(one["kind"], one["metadata"]["name"]) for one in aside}
    running = {(one["kind"], one["metadata"]["name"]) for one in with_rollout("prod")}

    assert ("Job", "rollout-aside") in names
    assert {name for _kind, name in names ^ running} == {
        f"rollout{more}" for more in ("", "-asks", "-aside", "-aside-asks")
    }


def test_where_secrets_are_made_by_hand_it_takes_those():
    values = {"secrets": {"from": "existing"}}
    manifests = with_rollout("dev", **values)
    (container,) = manifests.named("Job", "rollout")["spec"]["template"]["spec"]["containers"]

    assert {"secretRef": {"name": "auth-migrations"}} in container["envFrom"]
    assert list(manifests.of("ExternalSecret")) == []


def test_it_asks_every_service_of_both_releases_and_nobody_asks_it():
    network = Network(with_rollout("prod"))
    webs = {f"Deployment/{s}-{slug}" for s in SERVICES for slug in ("1-4-0", "1-5-0")}

    reached = {other for other in network.labels if network.reaches("Job/rollout", other)}
    asking = {one for one in network.labels if network.reaches(one, "Job/rollout")}

    assert reached == webs | {"Deployment/gateway"}
    assert asking == set()
