"""What a tenant's own silo or account is made of: the root module `tenant`, and its two modules."""

import json
import re

import pytest

from tests.terraform.working_copy import (
    LOCAL_STATE,
    MODULES,
    OVERRIDE,
    PROVIDER,
    WorkingCopy,
    planned,
)

TENANT = MODULES / "tenant"
# As app/stages/hardened/silos/tfvars.py writes them; the application's tests compare the names.
SILO = {
    "tenant_id": "019ac0de-0000-7000-8000-00000000beef",
    "tenant_slug": "initech",
    "placement": "silo",
    "services": ["features"],
    "region": "us-east-1",
    "account_id": "",
    "external_id": "",
}
ACCOUNT = {
    **SILO,
    "placement": "account",
    "account_id": "210987654321",
    "external_id": "0123456789abcdef",
}
OURS = {
    "name": "acme",
    "environment": "prod",
    "vpc_id": "vpc-0123456789abcdef0",
    "subnet_ids": ["subnet-1", "subnet-2"],
    "client_security_group_id": "sg-0123456789abcdef0",
}


class TenantCopy(WorkingCopy):
    """A working copy whose state is a file, as the environment's is in tests."""

    def initialise(self) -> None:
        (self.root / OVERRIDE).write_text(PROVIDER + LOCAL_STATE)
        super().initialise()
        assert self.try_to("init", "-reconfigure").returncode == 0


@pytest.fixture(scope="module")
def tenant(tmp_path_factory, endpoint):
    return TenantCopy(tmp_path_factory.mktemp("tenant"), "tenant", endpoint)


def plan(tenant, **other):
    (tenant.root / "tenant.auto.tfvars.json").write_text(json.dumps(SILO | OURS | other))
    tenant.do("plan", "-out=tenant.plan")
    return tenant.show("tenant.plan")


def test_it_is_valid_and_its_own_tests_pass(tenant):
    tenant.do("validate")

    said = tenant.do("test")

    assert "0 failed" in said
    assert "0 passed" not in said


def test_a_silo_is_encrypted_under_a_key_of_its_own_and_kept(tenant):
    made = planned(plan(tenant))
    (server,) = [one["values"] for one in made if one["type"] == "aws_db_instance"]

    assert server["storage_encrypted"]
    assert not server["publicly_accessible"]
    assert server["deletion_protection"]
    assert server["manage_master_user_password"]
    aliases = {one["values"]["name"] for one in made if one["type"] == "aws_kms_alias"}
    assert "alias/acme-prod-00000000beef-data" in aliases


def test_everything_carries_the_tenant_by_which_the_bill_is_split(tenant):
    taggable = [one for one in planned(plan(tenant)) if "tags_all" in one["values"]]

    assert len(taggable) > 8
    assert {one["values"]["tags_all"]["Tenant"] for one in taggable} == {SILO["tenant_id"]}


def test_nothing_holds_a_secret(tenant):
    assert "aws_secretsmanager_secret_version" not in {one["type"] for one in planned(plan(tenant))}


def test_a_readme_names_every_variable_and_output():
    text = "".join(path.read_text() for path in TENANT.glob("*.tf"))
    readme = (TENANT / "README.md").read_text()

    names = re.findall(r'^(?:variable|output) "(\w+)"', text, re.MULTILINE)

    assert [name for name in names if f"`{name}`" not in readme] == []


def test_the_environment_learns_a_missing_variable_by_name(tenant):
    (tenant.root / "tenant.auto.tfvars.json").write_text(json.dumps(SILO))

    done = tenant.try_to("plan")

    assert done.returncode == 1
    assert 'input variable "vpc_id" is not set' in done.stderr


@pytest.mark.parametrize("wished", [SILO, ACCOUNT], ids=["silo", "account"])
def test_it_is_planned_of_what_place_wrote_and_the_environment_says(tmp_path, cloud, wished):
    """As tenant.yml does it; moto gives the role in the account to whoever asks."""
    folder = TenantCopy(tmp_path, "tenant", cloud.endpoint)
    environment = json.loads(cloud.prod.do("output", "-json", "tenants"))
    roles = {"features": ["arn:aws:iam::123456789012:role/features"]}
    (folder.root / "environment.auto.tfvars.json").write_text(
        json.dumps(environment | {"trusted_role_arns": environment["trusted_role_arns"] or roles})
    )
    (folder.root / "placement.tfvars.json").write_text(json.dumps(wished))

    folder.do("plan", "-var-file=placement.tfvars.json", "-out=tenant.plan")

    made = planned(folder.show("tenant.plan"))
    (group,) = [one["values"] for one in made if one["type"] == "aws_db_subnet_group"]
    assert len(group["subnet_ids"]) == 3
    names = {one["values"].get("name") for one in made if one["type"] == "aws_iam_role"}
    assert ("acme-prod-00000000beef-features" in names) == (wished is ACCOUNT)


def test_an_account_trusts_a_service_and_auth_as_which_its_rows_are_moved(tmp_path, endpoint, zone):
    may = {"actions": ["sts:AssumeRole"], "resources": ["arn:aws:iam::*:role/acme-prod-*-features"]}
    environment = WorkingCopy(tmp_path, endpoint=endpoint)

    planned = environment.plan("prod", service_permissions={"auth": [may], "features": [may]})

    roles = planned["output_changes"]["tenants"]["after_unknown"]["trusted_role_arns"]
    assert {service: len(arns) for service, arns in roles.items()} == {"features": 2}
