"""Placing a tenant, and entering what Terraform made for it: their steps."""

import secrets
from pathlib import Path
from typing import Any, Literal, cast
from uuid import UUID

from flask import current_app

from app.db import db
from app.stages.hardened.accounts.organization import ensure_account
from app.stages.hardened.catalog import api as catalog
from app.stages.hardened.catalog.models import TargetRow
from app.stages.hardened.catalog.places import SILOED
from app.stages.hardened.lifecycle import ledger
from app.stages.hardened.lifecycle.creating import admin_url
from app.stages.hardened.lifecycle.creating import target_for as silo_for
from app.stages.hardened.lifecycle.doing import go_on
from app.stages.hardened.lifecycle.finding import find
from app.stages.hardened.lifecycle.models import Operation
from app.stages.hardened.lifecycle.placement import outputs, wishes
from app.stages.hardened.lifecycle.placement.wishes import BY_TERRAFORM, Wish
from app.stages.hardened.lifecycle.running import (
    Say,
    Step,
    Work,
    ignore,
    kind,
    note_in_tenant,
)
from app.stages.hardened.silos import tfvars
from app.stages.hardened.silos.names import database_of

# As infra/terraform/tenant calls the places that it makes.
PLACEMENT = {"server": "silo", "account": "account"}
EXTERNAL_ID_BYTES = 24


def place(slug: str, wish: Wish, operator: str, say: Say = ignore) -> Operation:
    """Make ready where a tenant shall live. To ask for the same again does the same again."""
    return go_on(begin(slug, wish, operator).id, say)


def begin(slug: str, wish: Wish, operator: str) -> Operation:
    """The operation that makes ready where a tenant shall live; nothing of it is done yet."""
    found = find(slug)
    tenant_id, name = found.id, found.slug
    put_aside(tenant_id, wish.as_asked())
    if ledger.open_one(tenant_id) is None:
        wishes.refuse(tenant_id, name, wish)
    db.session.rollback()
    return ledger.find(str(ledger.begin("place", tenant_id, name, operator, **wish.as_asked())))


def enter(slug: str, told: object, operator: str, say: Say = ignore) -> Operation:
    """Let the catalog know what Terraform made; `told` is what `terraform output -json` says."""
    return go_on(begin_entering(slug, told, operator).id, say)


def begin_entering(slug: str, told: object, operator: str) -> Operation:
    """The operation that lets the catalog know; nothing of it is done yet."""
    found = find(slug)
    tenant_id, name = found.id, found.slug
    known = outputs.read(told)
    put_aside(tenant_id, known.model_dump())
    if ledger.open_one(tenant_id) is None:
        outputs.refuse(tenant_id, name, known, wishes.last(tenant_id))
    db.session.rollback()
    return ledger.find(str(ledger.begin("enter", tenant_id, name, operator, **known.model_dump())))


def put_aside(tenant_id: UUID, asked: dict[str, Any]) -> None:
    """Give up what stopped because it was asked wrongly: to ask rightly is the way on.

    It left nothing half done: an account that was made already is found again by its tag.
    """
    stopped = ledger.open_one(tenant_id)
    if stopped and stopped.kind in {"place", "enter"} and stopped.wishes != asked:
        ledger.give_up(stopped.id)


# --- Steps of placing ----------------------------------------------------------------------------


def choose(work: Work) -> None:
    """Note the region, and decide once what the account asks of who wants to be let in."""
    if work.asked["to"] in BY_TERRAFORM:
        catalog.set_facts(work.tenant(), region=work.asked["region"])
    if work.asked["to"] == "account":
        kept = wishes.external_id(work.tenant_id)
        work.keep(external_id=kept or secrets.token_hex(EXTERNAL_ID_BYTES))


def make_account(work: Work) -> None:
    """The tenant's own account: it's made once, however often it's asked for."""
    if work.asked["to"] != "account":
        return
    account = ensure_account(
        work.tenant_id,
        work.slug,
        work.asked["email"],
        watch=lambda what: work.say(f"  {what} ..."),
    )
    work.say(f"  Account {account.id}, {account.email}")
    work.keep(account_id=account.id, admin_role=account.admin_role)


def write_variables(work: Work) -> None:
    """What a pipeline applies with infra/terraform/tenant."""
    if work.asked["to"] not in BY_TERRAFORM:
        return
    variables = tfvars.variables_of(
        work.tenant_id,
        work.slug,
        cast('Literal["silo", "account"]', PLACEMENT[work.asked["to"]]),
        work.asked["region"],
        work.asked["services"],
        account_id=work.evidence.get("account_id", ""),
        external_id=work.evidence.get("external_id", ""),
    )
    work.keep(file=str(tfvars.write(folder_of(work), variables)), variables=variables)


def folder_of(work: Work) -> Path:
    return Path(work.asked["folder"] or Path(current_app.instance_path) / "placements")


def know(work: Work) -> None:
    """Enter silos on the server that has them, or forget targets that nobody is at."""
    if work.asked["to"] == "silo":
        for service in work.asked["services"]:
            catalog.add_target(silo_for(admin_url(), service, work.tenant_id))
    if work.asked["to"] == "pool":
        forget_targets(work.tenant_id)
    note_in_tenant(
        work, "tenant.placed", to=work.asked["to"], services=", ".join(work.asked["services"])
    )


def forget_targets(tenant_id: UUID) -> None:
    for service in SILOED:
        if db.session.get(TargetRow, database_of(service, tenant_id)):
            catalog.remove_target(database_of(service, tenant_id))


kind(
    "place",
    Step("choose", "Noting where it shall live", choose),
    Step("account", "Making its account", make_account),
    Step("variables", "Writing Terraform's variables", write_variables),
    Step("know", "Telling the catalog", know),
)


# --- Entering ------------------------------------------------------------------------------------


def enter_targets(work: Work) -> None:
    """Make all of them known, or none."""
    told = outputs.Outputs.model_validate(work.asked)
    for service, target in told.targets.items():
        catalog.add_target(outputs.as_target(service, target))
    note_in_tenant(work, "tenant.place_entered", services=", ".join(sorted(told.targets)))
    work.keep(administrator=told.administrator_secret_arn)


kind("enter", Step("enter", "Telling the catalog", enter_targets))
