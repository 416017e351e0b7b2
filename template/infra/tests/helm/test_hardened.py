"""What the hardened stage runs: beside the gateway, and to look after whole tenants."""

import helm_python as helm
import pytest

from tests.helm.chart import (
    ENVIRONMENTS,
    OF_STAGES,
    POINTERS,
    SERVICES,
    TWO,
    Rendered,
    containers,
    pods,
    render,
    rendered,
    values_of,
)
from tests.helm.test_network import Network, outside
from tests.helm.test_render import accepted
from tests.helm.test_values import nested
from tests.tools import PROJECT, clean_environment, in_app

(STAGE,) = [more for more in OF_STAGES if "tenants" in more]
ADMINISTRATORS = {"SILO_ADMIN_DATABASE_URL", "POOL_ADMIN_DATABASE_URL"}
WORDS = ["flask", "tenant", "move", "acme", "--to", "silo"]


def with_tenants(environment: str, **more) -> Rendered:
    tenants = {"run": WORDS} | more
    return render(values_of(environment, {"releases": TWO, "tenants": tenants}, POINTERS))


def keys_of(manifests: Rendered, name: str) -> dict[str, dict[str, str]]:
    data = manifests.named("ExternalSecret", name)["spec"]["data"]
    return {entry["secretKey"]: entry["remoteRef"] for entry in data}


# --- Beside the gateway ---------------------------------------------------------------------------


def gateway_of(manifests: Rendered) -> dict:
    return manifests.named("Deployment", "gateway")["spec"]["template"]["spec"]


@pytest.mark.parametrize("domain", ["", "example.com", "app.example.com"])
def test_caddy_imports_the_rule_that_the_application_makes(domain):
    change = {"settings": {"TENANT_DOMAIN": domain, "PUBLIC_URL": "https://app.example.com"}}
    manifests = render(values_of("prod", change))
    follower = containers(manifests)["Deployment/gateway/throttle"]
    folder = follower["args"][-1]
    environment = clean_environment(TENANT_DOMAIN=domain, PUBLIC_URL="https://app.example.com")

    expected = in_app("flask", "throttle", "rule", folder, env=environment)

    assert manifests.named("ConfigMap", "gateway")["data"]["turned-away.caddy"] == expected
    items = gateway_of(manifests)["volumes"]
    (configuration,) = [v["configMap"] for v in items if v["name"] == "configuration"]
    assert {one["path"] for one in configuration["items"]} == {
        "Caddyfile",
        "rules/turned-away.caddy",
    }


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_follower_and_caddy_share_the_folder_and_only_one_writes(environment):
    found = containers(rendered(environment))
    follower, caddy = (found[f"Deployment/gateway/{name}"] for name in ("throttle", "caddy"))
    mounted = {
        name: [m for m in one["volumeMounts"] if m["name"] == "turned-away"]
        for name, one in (("follower", follower), ("caddy", caddy))
    }

    assert follower["args"][:3] == ["flask", "throttle", "follow"]
    (written,), (read,) = mounted["follower"], mounted["caddy"]
    assert written["mountPath"] == read["mountPath"] == "/turned-away"
    assert read["readOnly"] is True
    assert "readOnly" not in written
    # It takes its folder away and makes it anew, which nobody may do with a mount itself.
    assert follower["args"][3].startswith(f"{written['mountPath']}/")


def test_the_follower_knows_redis_and_nothing_else():
    manifests = rendered("prod")
    follower = containers(manifests)["Deployment/gateway/throttle"]

    assert follower["envFrom"] == [{"secretRef": {"name": "gateway-throttle"}}]
    assert set(keys_of(manifests, "gateway-throttle")) == {"REDIS_URL"}
    assert {one["name"] for one in follower["env"]} == {"APP_ENV"}


def test_it_can_be_left_out():
    manifests = render(values_of("prod", nested("gateway/throttle/enabled", value=False)))
    spec = gateway_of(manifests)

    assert "throttle" not in {one["name"] for one in spec["containers"]}
    assert "turned-away" not in {one["name"] for one in spec["volumes"]}
    assert list(manifests.named("ConfigMap", "gateway")["data"]) == ["Caddyfile"]
    assert "gateway-throttle" not in {one["metadata"]["name"] for one in manifests}


# --- What looks after tenants ---------------------------------------------------------------------


def test_services_with_silos_get_what_their_passwords_come_from():
    for service in SERVICES:
        held = set(keys_of(rendered("prod"), f"{service}-settings"))
        assert ("SILO_SECRET" in held) == (service != "auth"), service


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_installation_has_nothing_that_opens_every_database(environment):
    manifests = render(values_of(environment))

    assert "tenants" not in {one["metadata"]["name"] for one in manifests.of("Job")}
    assert "tenants-settings" not in {one["metadata"]["name"] for one in manifests}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_job_runs_the_command_in_auths_place_with_all_that_it_needs(environment):
    manifests = with_tenants(environment)
    (container,) = manifests.named("Job", "tenants")["spec"]["template"]["spec"]["containers"]

    assert container["args"] == WORDS
    assert container["image"] == TWO["1.5.0"]["image"]
    assert container["env"] == [{"name": "SERVES", "value": "auth"}]
    assert container["envFrom"] == [
        {"configMapRef": {"name": "settings-1-5-0"}},
        {"secretRef": {"name": "auth-settings"}},
        {"secretRef": {"name": "tenants-settings"}},
    ]
    for manifest in manifests:
        accepted(manifest)


def test_each_key_of_the_jobs_comes_from_the_service_it_is_about():
    keys = keys_of(with_tenants("prod"), "tenants-settings")

    assert set(keys) == set(STAGE["tenants"])
    for name, place in keys.items():
        service, _, setting = name.partition("_")
        assert place == {"key": f"app/prod/{service.lower()}", "property": setting}


def test_the_administrators_are_asked_for_where_there_are_silos():
    keys = keys_of(with_tenants("prod", keys=sorted(ADMINISTRATORS)), "tenants-settings")

    assert set(keys) == set(STAGE["tenants"]) | ADMINISTRATORS
    assert keys["SILO_ADMIN_DATABASE_URL"]["key"] == "app/prod/auth"


def test_the_application_finds_every_pool_with_what_the_job_has():
    """The job's environment, with made-up values, read by the application itself."""
    urls = {
        name: f"postgresql://{name.lower()}@db.internal/x"
        for name in (*STAGE["tenants"], *ADMINISTRATORS)
        if name.endswith("_URL")
    }
    secrets = {name: "s" * 40 for name in STAGE["tenants"] if name.endswith("_SECRET")}
    program = """
from app import create_app
from app.stages.hardened import stores
from app.stages.hardened.catalog import passwords
app = create_app()
for name, store in stores.stores(app).items():
    assert name in store.url and f"{name}_migrations" in store.owner_url, (name, store)
assert "silo_admin" in stores.admin_url(app)
for name in ("billing", "analytics", "features"):
    assert passwords.masters(app, name) == ["s" * 40], name
"""
    own = {
        "SERVES": "auth",
        "DATABASE_URL": urls["AUTH_DATABASE_URL"],
        "REDIS_URL": "redis://cache.internal",
        "APP_ENV": "development",
    }
    neighbours = {f"{name.upper()}_URL": f"http://{name}:8000" for name in SERVICES}

    in_app("python", "-c", program, env=clean_environment(**own, **urls, **secrets, **neighbours))


def test_servers_never_read_what_opens_every_database():
    for name, pod in pods(with_tenants("prod", fromPages=True)).items():
        read = {
            source["secretRef"]["name"]
            for container in pod["spec"]["containers"]
            for source in container.get("envFrom", [])
            if "secretRef" in source
        }
        assert ("tenants-settings" in read) == (name == "Job/tenants"), name


def test_what_operators_ask_for_on_pages_is_done_by_auths_worker():
    change = {
        "tenants": {"fromPages": True},
        "services": {"auth": {"worker": {"secrets": ["tenants-settings"]}}},
    }
    manifests = render(values_of("prod", change))
    reads = [
        name
        for name, one in containers(manifests).items()
        if {"secretRef": {"name": "tenants-settings"}} in one.get("envFrom", [])
    ]

    assert reads == ["Deployment/auth-worker/worker"]
    assert set(keys_of(manifests, "tenants-settings")) == set(STAGE["tenants"])


def test_the_job_reaches_databases_and_redis_and_no_pod():
    manifests = with_tenants("prod")
    network = Network(manifests)

    assert outside(network, "Job/tenants") == {53, 5432, 6379}
    for other in network.labels:
        assert not network.reaches("Job/tenants", other), other
        assert not network.reaches(other, "Job/tenants"), other


def test_archives_go_where_they_outlive_the_pod():
    spec = with_tenants("prod", archives="archives").named("Job", "tenants")["spec"]["template"]
    (container,) = spec["spec"]["containers"]

    assert {"name": "archives", "mountPath": "/srv/instance/archives"} in container["volumeMounts"]
    assert {"claimName": "archives"} in [
        one.get("persistentVolumeClaim") for one in spec["spec"]["volumes"]
    ]


def test_what_the_command_refuses_is_not_tried_again():
    policy = with_tenants("prod").named("Job", "tenants")["spec"]["podFailurePolicy"]

    assert policy["rules"][0]["onExitCodes"]["values"] == [1, 2]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("tenants/run", "flask", "got string, want array"),
        ("tenants/keys", ["DATABASE_URL"], "'/tenants/keys/0'"),
        ("settings/THROTTLE", "fast", "'/settings/THROTTLE'"),
        ("settings/SILO_POOLS", 0, "'/settings/SILO_POOLS': minimum: got 0, want 1"),
        ("settings/SILO_SECRET", "x", "additional properties 'SILO_SECRET' not allowed"),
        ("extraSettings/SILO_ADMIN_DATABASE_URL", "x", "SILO_ADMIN_DATABASE_URL"),
        ("gateway/throttle/enabled", "yes", "'/gateway/throttle/enabled'"),
    ],
)
def test_the_schema_refuses_bad_values_of_this_stage(path, value, said):
    with pytest.raises(helm.HelmValuesError) as error:
        render(values_of("prod", nested(path, value)))

    assert said in str(error.value)


def test_the_page_shows_a_command_that_renders_the_job_alone():
    page = (PROJECT / "docs/hardened/deploying.md").read_text()

    assert "--show-only templates/tenants.yaml" in page
    assert "tenants.run=" in page
