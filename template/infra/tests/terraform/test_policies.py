"""Who may do what: no `*` without a reason, and nobody may take a role from outside."""

import json
import re

import pytest

from tests.terraform.working_copy import MODULES, existing

POLICIES = {
    "aws_iam_role_policy": "policy",
    "aws_iam_role": "assume_role_policy",
    "aws_kms_key": "policy",
    "aws_s3_bucket_policy": "policy",
    "aws_ecr_repository_policy": "policy",
    "aws_sns_topic": "policy",
}
# AWS' own policies, which AWS keeps narrow. Anything of the kind "FullAccess" isn't among them.
MANAGED = {
    "AmazonEC2ContainerRegistryReadOnly",
    "AmazonEKSClusterPolicy",
    "AmazonEKSWorkerNodePolicy",
    "AmazonEKS_CNI_Policy",
    "AmazonRDSEnhancedMonitoringRole",
}
REASON = re.compile(r"^\s*# (\w+): \* because (?=\S.{20,})", re.MULTILINE)


def reasoned() -> set[str]:
    """Statements beside which the code says why there is a `*`."""
    return {name for path in MODULES.rglob("*.tf") for name in REASON.findall(path.read_text())}


def statements(state):
    for one in existing(state):
        text = one["values"].get(POLICIES.get(one["type"], ""), None)
        if not text:
            continue
        found = json.loads(text)["Statement"]
        for statement in found if isinstance(found, list) else [found]:
            yield one["address"], statement


def listed(value) -> list[str]:
    if isinstance(value, dict):
        return [each for inner in value.values() for each in listed(inner)]
    return value if isinstance(value, list) else [value]


def stars(statement) -> list[str]:
    """What in a statement is wider than a name; the streams of one log group count, too."""
    found = [
        each
        for part in ("Action", "NotAction", "Resource", "NotResource", "Principal")
        for each in listed(statement.get(part, []))
        if "*" in each
    ]
    return [*found, *(["Not..."] if {"NotAction", "NotResource"} & set(statement) else [])]


@pytest.fixture(scope="module", params=["account", "prod"])
def state(request, cloud):
    return getattr(cloud, request.param).state


def test_every_star_has_a_reason(state):
    seen = list(statements(state))
    without = {
        f"{address} {statement.get('Sid')}: {stars(statement)}"
        for address, statement in seen
        # What SNS writes by itself isn't ours.
        if stars(statement) and statement.get("Sid") not in reasoned() | {"__default_statement_ID"}
    }

    assert len(seen) >= 5
    assert without == set(), "say why: # <Sid>: * because ..."


def test_no_reason_is_left_over(cloud):
    used = {
        statement.get("Sid")
        for state in (cloud.account.state, cloud.prod.state)
        for _, statement in statements(state)
        if stars(statement)
    }

    assert reasoned() - used == set()


def test_a_star_without_a_reason_would_be_found():
    assert stars({"Sid": "Wide", "Action": "s3:*", "Resource": "arn:aws:s3:::b"}) == ["s3:*"]
    assert stars({"Action": "s3:GetObject", "Resource": ["*"]}) == ["*"]
    assert stars({"Action": "a:B", "Principal": {"AWS": "*"}}) == ["*"]
    assert stars({"NotAction": "a:B", "Resource": "c"}) == ["Not..."]
    assert stars({"Action": "a:B", "Resource": "c"}) == []


def test_only_named_policies_of_aws_are_used(state):
    used = {
        one["values"]["policy_arn"].rpartition("/")[2]
        for one in existing(state)
        if one["type"] == "aws_iam_role_policy_attachment"
    }

    assert used <= MANAGED


def test_roles_for_the_outside_name_exactly_who(state):
    """A role of a web identity names one audience and one subject, both without a pattern."""
    for address, statement in statements(state):
        if statement["Action"] != "sts:AssumeRoleWithWebIdentity":
            continue
        assert set(statement["Condition"]) == {"StringEquals"}, address
        names = {name.rpartition(":")[2] for name in statement["Condition"]["StringEquals"]}
        assert names == {"aud", "sub"}, address
        assert "*" not in json.dumps(statement["Condition"]), address
