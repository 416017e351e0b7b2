"""What Terraform makes in a tenant's account, made in moto's."""

import json
from uuid import uuid4

import boto3

from app.stages.hardened.accounts.organization import ensure_account
from app.stages.hardened.catalog.places import Target


def within(role: str, service: str):
    """A client as somebody who has taken a role."""
    keys = boto3.client("sts").assume_role(RoleArn=role, RoleSessionName="test")
    given = keys["Credentials"]
    return boto3.client(
        service,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )


def client_of(arn: str, service: str):
    """A client within the account that an ARN is of, as its administrator."""
    account = arn.split(":")[4]
    role = f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole"
    return within(role, service)


def make_target(name, held):
    """An account with a secret in it, as Terraform makes them, and the target that names both."""
    account = ensure_account(uuid4(), name, f"aws+{name}@example.com")
    kept = held if isinstance(held, str) else json.dumps(held)
    secret = within(account.admin_role, "secretsmanager").create_secret(
        Name="database", SecretString=kept
    )
    return Target(
        name=name,
        service="features",
        kind="account",
        host="",
        port=0,
        database=f"silo_{name}",
        role=f"silo_{name}",
        owner_role=f"silo_{name}_owner",
        secret_ref=f"aws-secretsmanager:{secret['ARN']}",
        details={
            "role_arn": f"arn:aws:iam::{account.id}:role/acme-operator",
            "external_id": uuid4().hex,
        },
    )
