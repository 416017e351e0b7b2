"""Every pod is locked up, bounded, spread out, and leaves in peace."""

import re

import pytest

from tests.helm.chart import (
    ENVIRONMENTS,
    SERVICES,
    containers,
    pods,
    render,
    rendered,
    selects,
    values_of,
)
from tests.tools import PROJECT

ALL = [(environment, releases) for environment in ENVIRONMENTS for releases in (1, 2)]
every_render = pytest.mark.parametrize(("environment", "releases"), ALL)


@every_render
def test_pods_are_nobody_in_particular(environment, releases):
    for name, pod in pods(rendered(environment, releases)).items():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["runAsUser"] == 10001, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["enableServiceLinks"] is False, name
        assert not any(spec.get(door) for door in ("hostNetwork", "hostPID", "hostIPC")), name
        assert not any("hostPath" in volume for volume in spec["volumes"]), name


@every_render
def test_containers_can_change_nothing(environment, releases):
    for name, container in containers(rendered(environment, releases)).items():
        allowed = container["securityContext"]
        assert allowed["readOnlyRootFilesystem"] is True, name
        assert allowed["allowPrivilegeEscalation"] is False, name
        assert not allowed.get("privileged"), name
        assert allowed["capabilities"]["drop"] == ["ALL"], name
        # Caddy's program carries the mark of this one, and doesn't start where it is forbidden.
        added = ["NET_BIND_SERVICE"] if name.endswith("/caddy") else []
        assert allowed["capabilities"].get("add", []) == added, name


@every_render
def test_containers_have_bounds(environment, releases):
    for name, container in containers(rendered(environment, releases)).items():
        for kind in ("requests", "limits"):
            amounts = container["resources"][kind]
            assert set(amounts) == {"cpu", "memory", "ephemeral-storage"}, name


@every_render
def test_what_is_written_to_is_bounded_too(environment, releases):
    for name, pod in pods(rendered(environment, releases)).items():
        writable = {v["name"] for v in pod["spec"]["volumes"] if "emptyDir" in v}
        assert all(v["emptyDir"]["sizeLimit"] for v in pod["spec"]["volumes"] if "emptyDir" in v)
        mounts = {m["mountPath"] for m in pod["spec"]["containers"][0]["volumeMounts"]}
        if not name.endswith(("/gateway", "/smoke")):
            assert {"/tmp", "/srv/instance"} <= mounts, name  # noqa: S108
            assert writable >= {"tmp", "instance"}, name


@every_render
def test_each_deployment_has_a_disruption_budget(environment, releases):
    manifests = rendered(environment, releases)
    budgets = manifests.of("PodDisruptionBudget")

    for deployment in manifests.of("Deployment"):
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        own = [b for b in budgets if selects(b["spec"]["selector"], labels)]
        assert len(own) == 1, deployment["metadata"]["name"]
        assert own[0]["spec"]["maxUnavailable"] == 1


@every_render
def test_a_deployment_selects_its_own_pods_and_no_others(environment, releases):
    deployments = rendered(environment, releases).of("Deployment")

    for deployment in deployments:
        taken = [
            other["metadata"]["name"]
            for other in deployments
            if selects(
                deployment["spec"]["selector"], other["spec"]["template"]["metadata"]["labels"]
            )
        ]
        assert taken == [deployment["metadata"]["name"]]


@every_render
def test_replicas_are_spread_over_zones_and_machines(environment, releases):
    for deployment in rendered(environment, releases).of("Deployment"):
        spec = deployment["spec"]["template"]["spec"]
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        keys = {one["topologyKey"] for one in spec["topologySpreadConstraints"]}
        assert keys == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
        for constraint in spec["topologySpreadConstraints"]:
            assert selects(constraint["labelSelector"], labels)


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_each_service_scales_by_itself(environment):
    manifests = rendered(environment, 2)

    for scaler in manifests.of("HorizontalPodAutoscaler"):
        target = manifests.named("Deployment", scaler["spec"]["scaleTargetRef"]["name"])
        assert "replicas" not in target["spec"], "each upgrade would undo what the scaler did"
        assert 2 <= scaler["spec"]["minReplicas"] < scaler["spec"]["maxReplicas"]
    assert len(manifests.of("HorizontalPodAutoscaler")) == 2 * len(SERVICES)


def test_a_service_can_differ_from_the_others():
    change = {"services": {"auth": {"web": {"autoscaling": {"max": 20}}}}}
    scalers = render(values_of("prod", change)).of("HorizontalPodAutoscaler")
    found = {s["metadata"]["name"]: s["spec"]["maxReplicas"] for s in scalers}

    assert found["auth-1-4-0"] == 20
    assert found["billing-1-4-0"] == 12


def web(environment="prod"):
    return {
        name: container
        for name, container in containers(rendered(environment)).items()
        if name.endswith("/web")
    }


def test_probes_ask_what_the_application_means():
    """A database that is away takes a replica out of the line, and restarts none."""
    for name, container in web().items():
        asked = {
            kind: container[f"{kind}Probe"]["httpGet"]["path"]
            for kind in ("startup", "liveness", "readiness")
        }
        assert asked == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}, (
            name
        )


def test_a_replica_has_the_time_to_leave():
    """The pause, what gunicorn gives requests under way, and something to spare."""
    (graceful,) = re.findall(
        r"^graceful_timeout = (\d+)", (PROJECT / "gunicorn.conf.py").read_text(), re.MULTILINE
    )
    change = {"settings": {"DRAIN_SECONDS": 2.5}, "stopPause": 7}
    for name, pod in pods(render(values_of("prod", change))).items():
        if name.startswith("Deployment/") and "web" in {
            c["name"] for c in pod["spec"]["containers"]
        }:
            pause = pod["spec"]["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
            assert pause == 7
            grace = pod["spec"]["terminationGracePeriodSeconds"]
            assert grace >= pause + 3 + int(graceful) + 5, name


def test_the_gateway_has_the_time_to_leave():
    (grace,) = re.findall(r"grace_period (\d+)s", (PROJECT / "deploy/Caddyfile").read_text())
    pod = rendered("prod").named("Deployment", "gateway")["spec"]["template"]["spec"]
    pause = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]

    assert pod["terminationGracePeriodSeconds"] >= pause + int(grace) + 5


def test_a_replica_is_there_before_another_goes():
    for deployment in rendered("prod", 2).of("Deployment"):
        if not deployment["metadata"]["name"].endswith("-worker"):
            assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_new_settings_make_new_pods():
    change = {"settings": {"THREADS": 8}}
    before, after = rendered("prod"), render(values_of("prod", change))

    for name in ("auth-1-4-0", "auth-worker"):
        mark = [
            m.named("Deployment", name)["spec"]["template"]["metadata"]["annotations"]
            for m in (before, after)
        ]
        assert mark[0] != mark[1]


def test_each_service_has_an_account_of_its_own_and_with_it_its_cloud_role():
    role = "arn:aws:iam::111111111111:role/app-prod-billing"
    change = {"services": {"billing": {"accountAnnotations": {"eks.amazonaws.com/role-arn": role}}}}
    manifests = render(values_of("prod", change))
    annotated = {
        one["metadata"]["name"]: one["metadata"].get("annotations", {})
        for one in manifests.of("ServiceAccount")
    }

    assert annotated["billing"] == {"eks.amazonaws.com/role-arn": role}
    assert annotated["auth"] == {}
    for name, pod in pods(manifests).items():
        labels = pod["metadata"]["labels"]
        if "service" in labels and name.startswith("Deployment/"):
            assert pod["spec"]["serviceAccountName"] == labels["service"]
