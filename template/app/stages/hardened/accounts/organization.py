"""A tenant's account, made through AWS Organizations. It's made once, however often it's asked.

An account carries its tenant's id as a tag from its first moment, and its e-mail address can't be
that of another one: so a second account isn't made, even if whoever asked was killed before AWS
answered. Accounts can't be deleted by a program in a moment, so nothing here does.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.stages.hardened.accounts.errors import AccountTrouble, told
from app.stages.hardened.accounts.sessions import client

TAG = "Tenant"
# AWS makes this role in a new account; Terraform takes it to make everything else there.
ADMIN_ROLE = "OrganizationAccountAccessRole"
POLL_SECONDS = 2.0
PATIENCE_SECONDS = 600.0
LONGEST_NAME = 50
# Organizations answers in one region for all.
REGION = "us-east-1"
HINT = (
    "This must run with credentials of the organization's management account, or of a delegated "
    "administrator, that may create accounts and list them with their tags."
)


@dataclass(frozen=True, slots=True)
class Account:
    """A tenant's account."""

    id: str
    email: str
    name: str

    @property
    def admin_role(self) -> str:
        """The role by which the organization administers it."""
        return f"arn:aws:iam::{self.id}:role/{ADMIN_ROLE}"


def ensure_account(
    tenant_id: UUID,
    name: str,
    email: str,
    *,
    watch: Callable[[str], None] = lambda _: None,
    every: float = POLL_SECONDS,
) -> Account:
    """The tenant's account, made if there is none. `watch` is told what is waited for.

    Raises `AccountTrouble`, and says what to do.
    """
    called = account_name(name, tenant_id)
    with told(f"The account of {name} can't be made", HINT):
        organization = client("organizations", REGION)
        found = account_of(organization, tenant_id)
        if found:
            return found
        refuse_anothers_address(organization, email)
        request = under_way(organization, called) or organization.create_account(
            Email=email,
            AccountName=called,
            RoleName=ADMIN_ROLE,
            Tags=[{"Key": TAG, "Value": str(tenant_id)}],
        )
        status = request.get("CreateAccountStatus", request)
        return Account(wait_for(organization, status, watch, every), email, called)


def account_name(name: str, tenant_id: UUID) -> str:
    """A name for people that is nobody else's: two workspaces may be called the same."""
    tail = tenant_id.hex[-12:]
    return f"{name[: LONGEST_NAME - len(tail) - 1]} {tail}"


def account_of(organization: Any, tenant_id: UUID) -> Account | None:
    """The account that carries the tenant's tag."""
    for account in accounts(organization):
        tags = organization.list_tags_for_resource(ResourceId=account["Id"])["Tags"]
        if {"Key": TAG, "Value": str(tenant_id)} in tags:
            return Account(account["Id"], account["Email"], account["Name"])
    return None


def accounts(organization: Any) -> Iterator[dict[str, Any]]:
    for page in organization.get_paginator("list_accounts").paginate():
        yield from page["Accounts"]


def refuse_anothers_address(organization: Any, email: str) -> None:
    taken = [one["Id"] for one in accounts(organization) if one["Email"].lower() == email.lower()]
    if taken:
        raise AccountTrouble(
            f"Account {taken[0]} has the address {email}, and no tag {TAG} of this workspace.",
            hint=f"Choose another address; or if it's this workspace's, tag it {TAG}=<its id>.",
        )


def under_way(organization: Any, name: str) -> dict[str, Any] | None:
    """What somebody who was killed has asked for, and AWS is still at."""
    pages = organization.get_paginator("list_create_account_status").paginate(
        States=["IN_PROGRESS"]
    )
    asked = [one for page in pages for one in page["CreateAccountStatuses"]]
    return next((one for one in asked if one["AccountName"] == name), None)


def wait_for(
    organization: Any, status: dict[str, Any], watch: Callable[[str], None], every: float
) -> str:
    """The id of the account, as soon as it's made."""
    end = time.monotonic() + PATIENCE_SECONDS
    while status["State"] == "IN_PROGRESS":
        if time.monotonic() > end:
            raise AccountTrouble(
                f"AWS is still at it after {PATIENCE_SECONDS / 60:.0f} minutes.",
                hint="Run it again: it waits for the same account.",
            )
        watch(f"AWS makes the account {status['AccountName']}")
        time.sleep(every)
        status = organization.describe_create_account_status(CreateAccountRequestId=status["Id"])[
            "CreateAccountStatus"
        ]
    if status["State"] != "SUCCEEDED":
        raise AccountTrouble(f"AWS made no account: {status.get('FailureReason', 'no reason')}.")
    return str(status["AccountId"])
