"""What each environment would be, from its plan, with nothing left out."""

import pytest

from tests.terraform.working_copy import ENVIRONMENTS, planned

TAGS = {"Stage", "Service", "Tenant", "Environment", "ManagedBy"}


def of_type(plan, kind):
    return [one["values"] for one in planned(plan) if one["type"] == kind]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_everything_carries_the_tags_that_the_bill_is_split_by(plans, environment):
    taggable = [one for one in planned(plans[environment]) if "tags_all" in one["values"]]

    assert len(taggable) > 50
    for one in taggable:
        assert set(one["values"]["tags_all"]) >= TAGS, one["address"]
        assert one["values"]["tags_all"]["Environment"] == environment


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_what_is_stored_is_encrypted_and_kept_inside(plans, environment):
    (database,) = of_type(plans[environment], "aws_db_instance")
    (cache,) = of_type(plans[environment], "aws_elasticache_replication_group")
    (machines,) = of_type(plans[environment], "aws_launch_template")
    (cluster,) = of_type(plans[environment], "aws_eks_cluster")

    assert database["storage_encrypted"]
    assert not database["publicly_accessible"]
    assert database["backup_retention_period"] >= 3
    assert database["manage_master_user_password"]
    assert cache["at_rest_encryption_enabled"] == "true"
    assert cache["transit_encryption_mode"] == "required"
    assert cache["snapshot_retention_limit"] >= 3
    assert machines["block_device_mappings"][0]["ebs"][0]["encrypted"] == "true"
    assert machines["metadata_options"][0]["http_tokens"] == "required"
    assert cluster["encryption_config"][0]["resources"] == ["secrets"]
    assert not cluster["vpc_config"][0]["endpoint_public_access"]


def test_events_are_never_thrown_out_for_want_of_room(plans):
    (parameters,) = of_type(plans["prod"], "aws_elasticache_parameter_group")

    assert {"name": "maxmemory-policy", "value": "noeviction"} in parameters["parameter"]


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_what_people_rely_on_refuses_to_be_deleted(plans, environment):
    (database,) = of_type(plans[environment], "aws_db_instance")
    (entrance,) = of_type(plans[environment], "aws_lb")

    assert database["deletion_protection"]
    assert not database["skip_final_snapshot"]
    assert entrance["enable_deletion_protection"]
    for secret in of_type(plans[environment], "aws_secretsmanager_secret"):
        assert secret["recovery_window_in_days"] == 30


def test_in_production_nothing_stands_alone(plans):
    plan = plans["prod"]
    (database,) = of_type(plan, "aws_db_instance")
    (cache,) = of_type(plan, "aws_elasticache_replication_group")

    assert database["multi_az"]
    assert cache["automatic_failover_enabled"]
    assert len(of_type(plan, "aws_nat_gateway")) == 3
    assert {one["availability_zone"] for one in of_type(plan, "aws_subnet")} == {
        "us-east-1a",
        "us-east-1b",
        "us-east-1c",
    }


def test_only_the_load_balancer_is_open_to_the_internet(plans):
    rules = [
        one
        for one in planned(plans["prod"])
        if one["type"] == "aws_vpc_security_group_ingress_rule"
        and one["values"]["cidr_ipv4"] == "0.0.0.0/0"
    ]

    assert {one["values"]["from_port"] for one in rules} == {80, 443}
    assert all(one["address"].startswith("module.entrance.") for one in rules)


def test_deployers_rule_their_namespace_and_no_more(plans):
    (rights,) = [
        one["values"]
        for one in planned(plans["prod"])
        if one["type"] == "aws_eks_access_policy_association"
    ]

    assert rights["access_scope"] == [{"type": "namespace", "namespaces": ["app"]}]
