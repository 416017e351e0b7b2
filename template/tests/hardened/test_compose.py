"""The files for containers at this stage: each process gets what it needs of it, and no more."""

import re
import subprocess

import pytest
import yaml

from app.stages.hardened.settings import Settings
from app.stages.services.settings import SERVICES
from app.stages.services.settings import Settings as OfServices
from tests.browser import PROJECT

BASE = yaml.safe_load((PROJECT / "compose.services.yaml").read_text("utf-8"))["services"]
MORE = yaml.safe_load((PROJECT / "compose.hardened.yaml").read_text("utf-8"))["services"]
ADDED = {name.upper() for name in Settings.model_fields} - {
    name.upper() for name in OfServices.model_fields
}
# What only tools read, each as the service that it is about.
OF_TOOLS = {name for name in ADDED if name.endswith(("_DATABASE_URL", "_SILO_SECRET"))}
SILOED = ("billing", "analytics", "features")


def environment(name):
    """As Compose merges the two files."""
    return BASE.get(name, {}).get("environment", {}) | MORE[name].get("environment", {})


@pytest.mark.parametrize("service", SERVICES)
def test_each_server_has_every_setting_of_this_stage_but_those_of_tools(service):
    expected = ADDED - OF_TOOLS - (set() if service in SILOED else {"SILO_SECRET"})

    assert expected <= set(environment(service))
    assert not OF_TOOLS & set(environment(service))


@pytest.mark.parametrize("service", SILOED)
def test_a_silos_passwords_come_from_the_secret_of_its_own_service(service):
    for name in (service, f"{service}-worker"):
        assert environment(name)["SILO_SECRET"].startswith(f"${{{service.upper()}_SILO_SECRET:")


@pytest.mark.parametrize("name", ["tenants", "auth-worker"])
def test_what_looks_after_tenants_reaches_every_database_as_its_owner(name):
    found = environment(name)

    assert found.keys() >= OF_TOOLS
    assert found["SERVES"] == "auth"
    for service in SERVICES:
        url = found[f"{service.upper()}_MIGRATIONS_DATABASE_URL"]
        assert url.startswith(f"postgresql://{service}_owner:")
        assert url.endswith(f"@postgres/{service}")


def test_every_name_in_the_environment_is_a_setting():
    known = {name.upper() for name in Settings.model_fields}

    for name in MORE:
        assert set(MORE[name].get("environment", {})) <= known, name


def test_what_looks_after_tenants_has_what_auths_server_has():
    lacking = set(BASE["auth"]["environment"]) - set(environment("tenants"))

    assert lacking == {
        "STRIPE_SECRET_KEY",
        "STRIPE_WEBHOOK_SECRET",
        "TRUSTED_PROXIES",
        "WEB_CONCURRENCY",
        "RELEASE",
        "METRICS_ADDRESS",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "DRAIN_SECONDS",
    }


@pytest.mark.parametrize("name", ["throttle", "tenants"])
def test_every_new_container_is_hardened(name):
    container = MORE[name]

    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert "ports" not in container


def test_the_follower_knows_redis_and_nothing_else():
    assert MORE["throttle"]["environment"] == {
        "APP_ENV": "development",
        "REDIS_URL": BASE["auth"]["environment"]["REDIS_URL"],
    }


def test_the_gateway_looks_where_the_follower_writes(app):
    """The rule is what the command makes for the folder and the room that the follower has."""
    _, _, verb, folder, option, room = MORE["throttle"]["command"]
    assert (verb, option) == ("follow", "--waiting-room")
    port = room.partition(":")[2]

    made = app.test_cli_runner().invoke(
        args=["throttle", "rule", folder, "--waiting-room", f"throttle:{port}"]
    )

    assert made.output == (PROJECT / "deploy/turned-away.caddy").read_text("utf-8")
    shared = "turned-away:/srv/instance"
    assert MORE["throttle"]["volumes"] == [shared]
    assert f"{shared}:ro" in MORE["gateway"]["volumes"]
    assert folder.startswith("/srv/instance/")
    imported = "./deploy/turned-away.caddy:/etc/caddy/rules/turned-away.caddy:ro"
    assert imported in MORE["gateway"]["volumes"]


def test_the_pages_commands_add_to_env_what_is_missing(tmp_path):
    page = (PROJECT / "docs/hardened/deploying.md").read_text("utf-8")
    commands = page.split("add() {")[1].partition("```")[0]
    file = tmp_path / ".env"
    file.write_text("BILLING_SILO_SECRET=there-already\n")

    subprocess.run(["sh", "-euc", f"add() {{{commands}"], cwd=tmp_path, check=True)

    found = dict(line.split("=", 1) for line in file.read_text().splitlines())
    here, before = (
        set(re.findall(r"\$\{(\w+):\?is missing in .env}", (PROJECT / name).read_text("utf-8")))
        for name in ("compose.hardened.yaml", "compose.services.yaml")
    )
    assert here - before == found.keys()
    assert found["BILLING_SILO_SECRET"] == "there-already"
    assert len(found["FEATURES_SILO_SECRET"]) >= 32
