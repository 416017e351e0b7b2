"""The secrets that the hardened stage adds: who has them, and who makes them."""

import pytest

from tests.terraform.test_cloud import cloud_py

BASE = ["DATABASE_URL", "SECRET_KEY"]
SERVICES = ("auth", "billing", "analytics", "features")


@pytest.fixture
def outputs(monkeypatch):
    """What Terraform said, as far as `fill` asks; keys come from nowhere."""
    monkeypatch.setattr(cloud_py, "new_keys", lambda number: [f"key-{n}" for n in range(number)])
    settings = {service: [*BASE, "SILO_SECRET"] for service in SERVICES}
    settings["auth"] = [*BASE, "SILO_ADMIN_DATABASE_URL"]
    return {
        "secret_settings": settings,
        "secrets": {service: f"acme/prod/{service}" for service in SERVICES},
        "database": {"host": "db.internal", "port": 5432},
        "cache": None,
    }


@pytest.fixture
def filled(outputs):
    given = {"SILO_ADMIN_DATABASE_URL": "postgresql://silos@db.internal/postgres"}
    return cloud_py.completed({service: {} for service in SERVICES}, given, outputs)


def test_the_plan_has_a_silo_secret_for_each_service_that_has_silos(plans):
    planned = plans["prod"]["planned_values"]["outputs"]["secret_settings"]["value"]

    assert {service for service, names in planned.items() if "SILO_SECRET" in names} == {
        "billing",
        "analytics",
        "features",
    }


def test_each_service_gets_a_silo_secret_of_its_own_that_is_long_enough(filled):
    made = {settings.get("SILO_SECRET") for settings in filled.values()} - {None}

    assert len(made) == 3
    assert min(map(len, made)) >= 32  # What the application asks for.
    assert "SILO_SECRET" not in filled["auth"]


def test_the_administrator_of_silos_is_known_to_auth_alone(filled):
    assert [name for name, one in filled.items() if "SILO_ADMIN_DATABASE_URL" in one] == ["auth"]


def test_a_secret_that_is_there_stays(outputs, filled):
    again = cloud_py.completed(filled, {}, outputs)

    assert again == filled


def test_the_administrator_is_asked_for_before_anything_is_made(outputs):
    with pytest.raises(SystemExit, match="only you know SILO_ADMIN_DATABASE_URL"):
        cloud_py.completed({service: {} for service in SERVICES}, {}, outputs)
