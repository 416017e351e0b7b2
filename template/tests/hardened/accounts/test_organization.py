"""Making a tenant's account: once, however often it's asked, and whoever was killed meanwhile."""

from uuid import uuid4

import boto3
import pytest
from botocore.stub import Stubber

from app.stages.hardened.accounts import organization
from app.stages.hardened.accounts.errors import AccountTrouble
from app.stages.hardened.accounts.organization import account_name, ensure_account

pytestmark = pytest.mark.processes


def count() -> int:
    return len(list(organization.accounts(boto3.client("organizations"))))


def test_an_account_is_made_with_the_tenants_tag(aws):
    tenant_id = uuid4()

    made = ensure_account(tenant_id, "acme", "aws+acme@example.com")

    tags = boto3.client("organizations").list_tags_for_resource(ResourceId=made.id)["Tags"]
    assert tags == [{"Key": "Tenant", "Value": str(tenant_id)}]
    assert made.admin_role == f"arn:aws:iam::{made.id}:role/OrganizationAccountAccessRole"


def test_to_ask_again_makes_no_second_one(aws):
    tenant_id = uuid4()
    first = ensure_account(tenant_id, "acme", "aws+acme@example.com")
    before = count()

    again = ensure_account(tenant_id, "renamed", "aws+other@example.com")

    assert again.id == first.id
    assert count() == before


def test_two_tenants_get_two_accounts(aws):
    one = ensure_account(uuid4(), "acme", "aws+acme@example.com")
    other = ensure_account(uuid4(), "acme", "aws+acme2@example.com")

    assert one.id != other.id
    assert one.name != other.name


def test_an_address_that_another_account_has_is_refused(aws):
    ensure_account(uuid4(), "acme", "aws+acme@example.com")

    with pytest.raises(AccountTrouble, match="has the address AWS") as error:
        ensure_account(uuid4(), "initech", "AWS+acme@example.com")
    assert "Choose another address" in error.value.hint


def test_without_an_organization_it_says_what_is_needed(aws):
    boto3.client("organizations").delete_organization()

    with pytest.raises(AccountTrouble, match="The account of acme can't be made") as error:
        ensure_account(uuid4(), "acme", "aws+acme@example.com")
    assert "management account" in error.value.hint


def test_an_aws_that_does_not_answer_is_named(monkeypatch, aws):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    with pytest.raises(AccountTrouble, match="Could not connect"):
        ensure_account(uuid4(), "acme", "aws+acme@example.com")


@pytest.fixture
def slow_aws(monkeypatch):
    """What AWS answers while it takes its time; moto's accounts are there at once."""
    client = boto3.client("organizations", region_name="us-east-1")
    monkeypatch.setattr(organization, "client", lambda *_: client)
    with Stubber(client) as answers:
        yield answers


def asked(state, name, **more):
    return {"Id": "car-" + "0" * 32, "AccountName": name, "State": state, **more}


def test_it_waits_for_what_somebody_who_was_killed_has_asked_for(slow_aws):
    tenant_id, told = uuid4(), []
    name = account_name("acme", tenant_id)
    slow_aws.add_response("list_accounts", {"Accounts": []})
    slow_aws.add_response("list_accounts", {"Accounts": []})
    slow_aws.add_response(
        "list_create_account_status",
        {"CreateAccountStatuses": [asked("IN_PROGRESS", "other"), asked("IN_PROGRESS", name)]},
    )
    done = asked("SUCCEEDED", name, AccountId="123456789013")
    slow_aws.add_response("describe_create_account_status", {"CreateAccountStatus": done})

    made = ensure_account(tenant_id, "acme", "aws+acme@example.com", watch=told.append, every=0)

    assert made.id == "123456789013"
    assert told == [f"AWS makes the account {name}"]
    slow_aws.assert_no_pending_responses()


def test_why_aws_made_none_is_told(slow_aws):
    slow_aws.add_response("list_accounts", {"Accounts": []})
    slow_aws.add_response("list_accounts", {"Accounts": []})
    slow_aws.add_response("list_create_account_status", {"CreateAccountStatuses": []})
    failed = asked("FAILED", "acme", FailureReason="ACCOUNT_LIMIT_EXCEEDED")
    slow_aws.add_response("create_account", {"CreateAccountStatus": failed})

    with pytest.raises(AccountTrouble, match="ACCOUNT_LIMIT_EXCEEDED"):
        ensure_account(uuid4(), "acme", "aws+acme@example.com")
