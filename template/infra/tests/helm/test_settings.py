"""The chart and the application call the settings by the same names, and each has its place."""

import json

import pytest

from tests.helm.chart import (
    CHART,
    ENVIRONMENTS,
    OF_STAGES,
    SERVICES,
    containers,
    pods,
    render,
    rendered,
    values_of,
)
from tests.tools import in_app

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
PLAIN = set(SCHEMA["definitions"]["settings"]["properties"])
OF_SERVICES = {key for more in OF_STAGES for keys in more["secrets"].values() for key in keys}
SECRET = set(SCHEMA["definitions"]["secret"]["enum"]) | OF_SERVICES
# What looks after whole tenants reads, in a job of its own.
TENANTS = {key for more in OF_STAGES for key in {**more["tenants"], **more["administrators"]}}
OWNERS = {"MIGRATIONS_DATABASE_URL"}
FOLLOWERS = {"ROLLOUT_DATABASE_URL"}
# What the chart says itself, in each pod or for each release.
FIXED = {"APP_ENV", "WORKER", "TRUSTED_PROXIES", "SERVES", "RELEASE", "METRICS_ADDRESS"} | {
    f"{service.upper()}_URL" for service in SERVICES
}
# Settings of one process for everything: here each service has its one DATABASE_URL.
# ROLLOUT_UPSTREAMS: its default is how this chart names its services.
NOT_HERE = {f"{service.upper()}_DATABASE_URL" for service in SERVICES} | {"ROLLOUT_UPSTREAMS"}
NOT_HERE -= TENANTS


def test_each_setting_of_the_application_has_one_place_here(names):
    places = [PLAIN, SECRET, OWNERS, FOLLOWERS, TENANTS, FIXED, NOT_HERE]

    assert set().union(*places) == names, (
        "a setting is new or gone: say whether it's plain (values.schema.json) or secret (there, "
        "or for a later stage in files/stages)"
    )
    assert sum(map(len, places)) == len(names)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_pods_are_told_nothing_that_the_application_does_not_read(environment, names):
    manifests = rendered(environment, 2)
    told = {key for one in manifests.of("ConfigMap") for key in settings_in(one)}
    for name, container in containers(manifests).items():
        if not name.endswith(("/caddy", "/smoke")):
            told |= {one["name"] for one in container["env"]}
    for one in manifests.of("ExternalSecret"):
        told |= {entry["secretKey"] for entry in one["spec"]["data"]}
    assert bool(told & FOLLOWERS) == (environment != "dev")

    assert told
    assert told <= names


def settings_in(config_map):
    is_settings = config_map["metadata"]["name"].startswith("settings-")
    return config_map["data"] if is_settings else {}


def test_a_secret_comes_from_the_place_that_terraform_fills():
    for service in SERVICES:
        found = rendered("prod").named("ExternalSecret", f"{service}-settings")["spec"]["data"]
        for entry in found:
            place = {"key": f"app/prod/{service}", "property": entry["secretKey"]}
            assert entry["remoteRef"] == place


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_only_migrations_see_the_owners_url(environment):
    manifests = rendered(environment, 2)
    owners = {
        one["spec"]["target"]["name"]
        for one in manifests.of("ExternalSecret")
        if OWNERS & {entry["secretKey"] for entry in one["spec"]["data"]}
    } or {f"{service}-migrations" for service in SERVICES}

    assert owners == {f"{service}-migrations" for service in SERVICES}
    for name, pod in pods(manifests).items():
        read = {
            source["secretRef"]["name"]
            for container in pod["spec"]["containers"]
            for source in container.get("envFrom", [])
            if "secretRef" in source
        }
        assert bool(read & owners) == name.startswith("Job/"), name


def test_the_owners_url_leaves_the_cluster_with_the_migration():
    for service in SERVICES:
        one = rendered("prod").named("ExternalSecret", f"{service}-migrations")
        policy = one["metadata"]["annotations"]["helm.sh/hook-delete-policy"]
        assert "hook-succeeded" in policy.split(",")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_pod_reads_its_own_services_secret_only(environment):
    for name, pod in pods(rendered(environment, 2)).items():
        service = pod["metadata"]["labels"].get("service", "gateway")
        for container in pod["spec"]["containers"]:
            for source in container.get("envFrom", []):
                read = source.get("secretRef", {}).get("name", "")
                assert not read or read.startswith(f"{service}-"), name


def test_a_release_can_have_settings_of_its_own():
    change = {"releases": {"1.4.0": {"settings": {"LOG_LEVEL": "DEBUG"}}}}
    data = render(values_of("prod", change)).named("ConfigMap", "settings-1-4-0")["data"]

    assert data["LOG_LEVEL"] == "DEBUG"


def test_a_workers_further_secrets_reach_it_and_no_server():
    change = {"services": {"auth": {"worker": {"secrets": ["maps"]}}}}
    found = {
        name
        for name, one in containers(render(values_of("prod", change))).items()
        if {"secretRef": {"name": "maps"}} in one.get("envFrom", [])
    }

    assert found == {"Deployment/auth-worker/worker"}


def test_the_teams_own_settings_reach_the_pods():
    change = {"extraSettings": {"MAPS_URL": "https://maps.example.com"}}
    data = render(values_of("prod", change)).named("ConfigMap", "settings-1-4-0")["data"]

    assert data["MAPS_URL"] == "https://maps.example.com"


def test_the_gateways_settings_are_those_of_its_configuration():
    known = SCHEMA["properties"]["gateway"]["properties"]["settings"]["properties"]
    configuration = (CHART / "files/Caddyfile").read_text()

    for name in known:
        assert f"{{${name}:" in configuration, name


def test_the_gateway_knows_no_key_of_the_application():
    """Where the state of rollouts is, and no more; Caddy itself knows nothing."""
    manifests = rendered("prod")
    (entry,) = manifests.named("ExternalSecret", "gateway-settings")["spec"]["data"]
    caddy, follow, *_others = manifests.named("Deployment", "gateway")["spec"]["template"]["spec"][
        "containers"
    ]

    assert entry["secretKey"] == "ROLLOUT_DATABASE_URL"
    assert entry["remoteRef"] == {"key": "app/prod/auth", "property": "DATABASE_URL"}
    assert "envFrom" not in caddy
    assert follow["envFrom"] == [{"secretRef": {"name": "gateway-settings"}}]


def test_a_release_is_found_where_the_rollout_looks():
    default = in_app(
        "python",
        "-c",
        "from app.stages.services.settings import Settings as S; "
        "print(S.model_fields['rollout_upstreams'].default)",
    )
    services = {one["metadata"]["name"] for one in rendered("prod", 2).of("Service")}

    for service in SERVICES:
        for release in ("1-4-0", "1-5-0"):
            host, port = default.strip().format(service=service, release=release).split(":")
            assert host in services
            assert port == "8000"
