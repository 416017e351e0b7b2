"""The modules applied to an AWS that is moto, and what is there afterwards."""

import json

import pytest

from tests.terraform.working_copy import AS_APPLIED, existing, planned

# What moto gives back otherwise than it got it. Anything else that changes is a mistake of ours.
MOTO_FORGETS = {
    "module.cluster.aws_eks_node_group.this": {"update_config"},
    "module.database.aws_db_instance.this": {
        "performance_insights_enabled",
        "performance_insights_kms_key_id",
    },
    "module.database.aws_db_parameter_group.this": {"parameter"},
    "module.database.aws_vpc_security_group_ingress_rule.clients": {"description"},
    "module.entrance.aws_vpc_security_group_egress_rule.to_the_gateway": {"description"},
    "module.entrance.aws_vpc_security_group_ingress_rule.nodes": {"description"},
}
# What the variable leave_out takes away: checked in the plans and with a mocked provider.
LEFT_OUT = {
    "aws_autoscaling_attachment",
    "aws_eks_access_entry",
    "aws_eks_access_policy_association",
    "aws_eks_addon",
    "aws_elasticache_parameter_group",
    "aws_elasticache_replication_group",
    "aws_elasticache_subnet_group",
}


def changed(change: dict) -> set[str]:
    """The attributes that a plan would change."""
    before, after = change["before"] or {}, change["after"] or {}
    unknown = {name for name, value in change["after_unknown"].items() if value is True}
    return {name for name in after if before.get(name) != after[name]} | unknown


def test_everything_that_moto_can_make_is_made(cloud, plans):
    made = {one["type"] for one in existing(cloud.prod.state)}
    meant = {one["type"] for one in planned(plans["prod"])}

    print(f"\n{len(existing(cloud.prod.state))} resources of {len(made)} types in prod")
    assert meant - made == LEFT_OUT
    assert cloud.client("eks").list_clusters()["clusters"] == ["acme-prod"]


def test_a_second_plan_is_empty(cloud):
    plan = cloud.prod.plan("prod", **AS_APPLIED)

    left = {
        one["address"]: sorted(changed(one["change"]))
        for one in plan["resource_changes"]
        if one["mode"] == "managed"
        and one["change"]["actions"] != ["no-op"]
        and not (
            one["change"]["actions"] == ["update"]
            and changed(one["change"]) <= MOTO_FORGETS.get(one["address"], set())
        )
    }

    assert left == {}


def test_a_second_plan_of_the_account_is_empty(cloud):
    given = ["-var=name=acme", "-var=region=us-east-1", "-var=repository=acme/app"]

    cloud.account.do("plan", "-detailed-exitcode", *given, '-var=zones=["example.net"]')


@pytest.mark.parametrize("which", ["account", "prod"])
def test_no_state_holds_a_secret(cloud, which):
    kinds = {one["type"] for one in existing(getattr(cloud, which).state)}
    text = json.dumps(getattr(cloud, which).state)

    assert "aws_secretsmanager_secret_version" not in kinds
    assert '"password": null' in text or which == "account"
    for word in ("-----BEGIN", "postgresql://", "rediss://"):
        assert word not in text


def test_images_never_change_under_a_name(cloud):
    (repository,) = cloud.client("ecr").describe_repositories()["repositories"]

    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
    assert repository["encryptionConfiguration"]["encryptionType"] == "KMS"


def test_only_one_environment_of_one_repository_may_deploy(cloud):
    role = cloud.client("iam").get_role(RoleName="acme-prod-deploy")["Role"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]

    assert trust["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": "repo:acme/app:environment:prod",
        }
    }


def test_states_are_versioned_encrypted_and_closed(cloud):
    s3, bucket = cloud.client("s3"), "acme-state-123456789012"

    rule = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
