"""Suspend and resume: a tenant's people and programs are kept out, its rows stay as they are."""

from uuid import UUID

import click

from app.db import db
from app.errors import Refused
from app.stages.hardened.catalog import api as catalog
from app.stages.hardened.lifecycle.doing import perform
from app.stages.hardened.lifecycle.finding import find
from app.stages.hardened.lifecycle.group import (
    by_operator,
    cli,
    named,
    plain_refusals,
    say,
    the_tenant,
)
from app.stages.hardened.lifecycle.running import Step, Work, kind, note_in_tenant


class AlreadySo(Refused):
    """The tenant is in that state already."""

    title = "It is so already"


class NotNow(Refused):
    """The tenant is in a state in which this makes no sense."""

    title = "Not in this state"


def refuse_suspending(tenant_id: UUID) -> None:
    """Raises `AlreadySo` or `NotNow` for a tenant that can't be suspended."""
    state = catalog.entry_of(tenant_id).state
    if state == "suspended":
        raise AlreadySo("It is suspended already.")
    if state != "active":
        raise NotNow(f"It is {state}: wait for that to end, then suspend it.")


def refuse_resuming(tenant_id: UUID) -> None:
    state = catalog.entry_of(tenant_id).state
    if state == "active":
        raise AlreadySo("It is active already.")
    if state != "suspended":
        raise NotNow(f"It is {state}: only a suspended workspace can be resumed.")


def suspend(work: Work) -> None:
    catalog.set_state(work.tenant(), "suspended", reason=work.asked["reason"])
    note_in_tenant(work, "tenant.suspended", reason=work.asked["reason"])


def resume(work: Work) -> None:
    catalog.set_state(work.tenant(), "active")
    note_in_tenant(work, "tenant.resumed")


kind("suspend", Step("suspend", "Suspending it", suspend))
kind("resume", Step("resume", "Resuming it", resume))


@cli.command("suspend")
@the_tenant
@click.option("--reason", default="", help="Why; its people are told so.")
@by_operator
def suspend_command(slug: str, reason: str, operator: str) -> None:
    """Keep a tenant's people and programs out, within a second. Nothing of it is lost."""
    with plain_refusals():
        found = find(slug)
        tenant_id, name = found.id, found.slug
        refuse_suspending(tenant_id)
        db.session.rollback()
        perform("suspend", tenant_id, name, named(operator), say=say, reason=reason)
    click.echo(f"{name} is suspended. Undo: flask tenant resume {name}")


@cli.command("resume")
@the_tenant
@by_operator
def resume_command(slug: str, operator: str) -> None:
    """Let the people of a suspended tenant in again."""
    with plain_refusals():
        found = find(slug)
        tenant_id, name = found.id, found.slug
        refuse_resuming(tenant_id)
        db.session.rollback()
        perform("resume", tenant_id, name, named(operator), say=say)
    click.echo(f"{name} is active.")
