"""The rendered chart really runs: migrations, four services, their workers, the gateway."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.helm.chart import SERVICES
from tests.image.cluster import status_of, terminate
from tests.image.conftest import FIGURES, installed
from tests.tools import in_app

NET_BIND_SERVICE = 1 << 10


@pytest.fixture(scope="module")
def migrated(cluster):
    began = time.monotonic()
    said = {job["metadata"]["name"]: cluster.run(job) for job in cluster.manifests.of("Job")}
    FIGURES.append(f"{time.monotonic() - began:6.1f} s  four migrations, as hooks run them")
    return said


@pytest.fixture(scope="module")
def system(cluster, migrated):
    """Everything that the chart deploys; returns where the gateway is."""
    assert migrated
    began = time.monotonic()
    deployments = cluster.manifests.of("Deployment")
    with ThreadPoolExecutor(3) as several:
        list(several.map(cluster.play, deployments))
    for deployment in deployments:
        cluster.wait(deployment)
    FIGURES.append(f"{time.monotonic() - began:6.1f} s  until every probe of the chart says yes")
    return f"http://{cluster.address('gateway')}:8000"


@pytest.mark.parametrize("service", SERVICES)
def test_the_migration_ran_as_the_owner(migrated, service):
    assert f"Up to date: shared, {service}." in migrated[f"{service}-migrate"]


def test_each_service_leads_to_its_own_pods(cluster):
    for service in cluster.manifests.of("Service"):
        assert cluster.behind(service) == [service["metadata"]["name"]]


def test_the_journeys_smoke_part_passes(system):
    env = {**os.environ, "JOURNEY_URL": system}
    began = time.monotonic()

    said = in_app("nox", "-s", "smoke", "--", "tests/journey/test_smoke.py", env=env)

    assert " passed" in said
    assert "skipped" not in said
    FIGURES.append(f"{time.monotonic() - began:6.1f} s  the smoke part of the journey")


def test_helms_own_test_passes(cluster, system):
    said = cluster.run(cluster.manifests.named("Pod", "smoke"))

    assert "good /readyz" in said
    assert "BAD" not in said


def test_every_container_is_nobody_and_may_nothing(cluster, system):
    for deployment in cluster.manifests.of("Deployment"):
        for container in cluster.containers(deployment["metadata"]["name"]):
            if container.endswith("-prepare"):  # It has ended, as it should.
                continue
            status = status_of(cluster.podman, container)
            assert status["Uid"].split() == ["10001"] * 4, container
            allowed = NET_BIND_SERVICE if container.endswith("-caddy") else 0
            assert int(status["CapBnd"], 16) == allowed, container
            assert status["NoNewPrivs"] == "1", container
            assert cluster.podman.inspect(container)["HostConfig"]["ReadonlyRootfs"], container
            used = cluster.memory(container)
            FIGURES.append(f"{used:6.0f} MiB used by {container}")


def test_a_rollout_runs_as_a_job_and_the_gateway_hears_of_it(cluster, system, app_image):
    """The job that `python3 -m scripts.delivery bring` starts, as the owner of auth's tables."""
    words = ["flask", "rollout", "adopt", "r1", "--why", "the first"]
    job = installed(app_image, rollout={"run": words}).named("Job", "rollout")

    assert "Everybody has r1." in cluster.run(job)

    deadline = time.monotonic() + 30
    while "everybody has r1" not in cluster.log("gateway-follow"):
        assert time.monotonic() < deadline, cluster.log("gateway-follow")
        time.sleep(0.2)
    # With the Caddyfile that the follower wrote, everybody is still served.
    assert "BAD" not in cluster.run(cluster.manifests.named("Pod", "smoke"))


def test_a_service_leaves_in_peace(cluster, system):
    """Told to stop it ends by itself, well before it would be killed."""
    deployment = cluster.manifests.named("Deployment", "analytics-r1")
    grace = deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]

    code, took = terminate(cluster.podman, "analytics-r1-web", grace)

    assert code == 0
    assert took < grace


def test_the_gateway_follows_the_rollouts(cluster, system):
    """The follower beside Caddy reaches the state and Caddy's socket, without a key of the app."""
    log = cluster.log("gateway-follow")

    assert "No release is adopted yet" in log
    for said in ("away", "refuses", "doesn't answer", "Traceback"):
        assert said not in log
