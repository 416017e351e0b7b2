"""The chart is well-formed, for each environment and with two releases at once."""

from pathlib import Path

import helm_python as helm
import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.helm.chart import (
    CHART,
    ENVIRONMENTS,
    POINTERS,
    SERVICES,
    TWO,
    is_hook,
    render,
    rendered,
    templates,
    values_of,
)
from tests.tools import INFRA, PROJECT

KUBERNETES = "1.34"
ELSEWHERE = yaml.safe_load(Path(__file__).with_name("crds.yaml").read_text())
INGRESS = {"entrance": {"kind": "ingress", "className": "nginx", "tlsSecret": "tls"}}
ROUTE = {"entrance": {"kind": "httproute", "parents": [{"name": "public", "namespace": "edge"}]}}
TENANTS = {"settings": {"TENANT_DOMAIN": "example.com", "PUBLIC_URL": "https://example.com"}}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_linter_finds_nothing(environment):
    found = helm.lint(CHART, values_of(environment), strict=True, kube_version="v1.34.0")

    assert [one for one in found["messages"] if one["severity"] > 1] == []


@pytest.mark.parametrize("releases", [1, 2])
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_kubernetes_takes_each_manifest(environment, releases):
    for manifest in rendered(environment, releases):
        accepted(manifest)


@pytest.mark.parametrize("change", [INGRESS | TENANTS, ROUTE, ROUTE | TENANTS])
def test_kubernetes_takes_the_other_ways_in(change):
    for manifest in render(values_of("prod", change)):
        accepted(manifest)


def accepted(manifest):
    """Raises for a field that the API doesn't know, too."""
    kind = manifest["kind"]
    if kind not in ELSEWHERE:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
        return
    known = ELSEWHERE[kind]
    assert manifest["apiVersion"] == known["apiVersion"]
    Draft202012Validator(known["spec"]).validate(manifest["spec"])


def test_a_manifest_that_kubernetes_refuses_would_be_noticed():
    good = rendered("prod").named("Service", "gateway")

    with pytest.raises(kubernetes_validate.ValidationError):
        accepted(good | {"spec": good["spec"] | {"prots": []}})


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_no_two_manifests_have_one_name(environment):
    names = [(one["kind"], one["metadata"]["name"]) for one in rendered(environment, 2)]

    assert len(names) == len(set(names))


def test_two_releases_run_side_by_side():
    manifests = rendered("prod", 2)
    images = {
        one["metadata"]["name"]: one["spec"]["template"]["spec"]["containers"][0]["image"]
        for one in manifests.of("Deployment")
    }

    for service in SERVICES:
        for release in TWO:
            name = f"{service}-{release.replace('.', '-')}"
            assert images[name] == TWO[release]["image"]
            selector = manifests.named("Service", name)["spec"]["selector"]
            assert (selector["service"], selector["release"]) == (service, release)


def test_workers_and_migrations_run_once():
    manifests = rendered("prod", 2)
    workers = [d for d in manifests.of("Deployment") if d["metadata"]["name"].endswith("-worker")]

    assert [one["metadata"]["name"] for one in workers] == [f"{s}-worker" for s in SERVICES]
    assert {one["metadata"]["labels"]["release"] for one in workers} == {"1.4.0"}
    jobs = manifests.of("Job")
    assert [one["metadata"]["name"] for one in jobs] == [f"{s}-migrate" for s in SERVICES]
    assert {one["metadata"]["labels"]["release"] for one in jobs} == {"1.5.0"}


def test_a_release_asks_its_own_kind():
    data = rendered("prod", 2).named("ConfigMap", "settings-1-5-0")["data"]

    assert data["AUTH_URL"] == "http://auth-1-5-0:8000"
    assert data["RELEASE"] == "1.5.0"


def test_migrations_run_before_anything_else_changes():
    for job in rendered("prod").of("Job"):
        assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
        needed = {"migrations"}
        for manifest in rendered("prod").of("ServiceAccount", "NetworkPolicy", "ExternalSecret"):
            name = manifest["metadata"]["name"]
            if name in needed or name.endswith("-migrations"):
                weight = manifest["metadata"]["annotations"]["helm.sh/hook-weight"]
                assert int(weight) < int(job["metadata"]["annotations"]["helm.sh/hook-weight"])


def test_what_hooks_need_is_a_hook():
    """On the first installation nothing else is there yet."""
    manifests = rendered("prod")
    before = {(m["kind"], m["metadata"]["name"]) for m in manifests if is_hook(m)}

    for job in manifests.of("Job"):
        spec = job["spec"]["template"]["spec"]
        assert ("ServiceAccount", spec["serviceAccountName"]) in before
        for source in spec["containers"][0]["envFrom"]:
            assert ("ExternalSecret", source["secretRef"]["name"]) in before


def test_the_gateway_has_the_projects_routes():
    own, the_projects = CHART / "files/Caddyfile", PROJECT / "deploy/Caddyfile"

    assert own.read_text() == the_projects.read_text(), (
        "The routes changed: cp deploy/Caddyfile infra/helm/files/Caddyfile"
    )


def test_prometheus_gets_the_projects_rules():
    the_projects = INFRA / "observability/rules"
    groups = rendered("prod").named("PrometheusRule", "services")["spec"]["groups"]
    files = sorted(the_projects.glob("*.yml"))

    assert files
    assert groups == [g for f in files for g in yaml.safe_load(f.read_text())["groups"]], (
        "The rules changed: cp infra/observability/rules/*.yml infra/helm/files/rules/"
    )


def test_the_gateway_sends_whom_nobody_pinned_to_the_default_release():
    gateway = rendered("prod", 2).named("Deployment", "gateway")
    env = gateway["spec"]["template"]["spec"]["containers"][0]["env"]
    found = {one["name"]: one["value"] for one in env}

    for service in SERVICES:
        assert found[f"{service.upper()}_UPSTREAMS"] == f"{service}-1-4-0:8000"


def test_subdomains_of_workspaces_come_in_too():
    ingress = render(values_of("prod", INGRESS | TENANTS)).named("Ingress", "gateway")

    assert [rule["host"] for rule in ingress["spec"]["rules"]] == ["example.com", "*.example.com"]


def test_the_notes_say_which_release_does_what():
    notes = templates(values_of("prod", {"releases": TWO}, POINTERS))["app/templates/NOTES.txt"]

    assert "migrations came from 1.5.0" in notes
    assert "helm test app" in notes
