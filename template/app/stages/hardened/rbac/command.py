"""`flask rbac explain` and `matrix`: who may do what, and why."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import click
from flask.cli import AppGroup

from app.errors import Refused
from app.stages.hardened.lifecycle.finding import find, refuse_elsewhere
from app.stages.hardened.rbac import explaining, matrix
from app.stages.hardened.rbac.explaining import Decision
from app.tenancy import serving

cli = AppGroup("rbac", help="Explain who may do what, and why.")
as_json = click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")


class NoSuchPerson(Refused):
    """Nobody has this address or this id."""

    status = 404
    title = "There is no such person"


@contextmanager
def plain_refusals() -> Iterator[None]:
    try:
        yield
    except Refused as refusal:
        raise click.ClickException("\n".join(filter(None, [str(refusal), refusal.hint]))) from None


@cli.command("explain")
@click.argument("user")
@click.argument("permission")
@click.option("--tenant", required=True, metavar="T", help="The workspace: its slug, or its id.")
@click.option(
    "--token",
    prompt="The token",
    prompt_required=False,
    hide_input=True,
    default="",
    help="As an API token of theirs is seen. Say --token alone and you're asked for it, so that "
    "it stays out of the shell's history.",
)
@as_json
def explain_command(user: str, permission: str, tenant: str, token: str, as_json: bool) -> None:
    """Say whether USER may do what PERMISSION stands for in a workspace, and why.

    USER is an e-mail address, or an id. Ends with 0 if they may, with 3 if they may not.
    """
    with plain_refusals():
        decision = decide(user, permission, tenant, token.strip())
    if as_json:
        click.echo(to_json(asdict(decision) | {"granted_by": decision.granted_by}))
    else:
        click.echo("\n".join(lines_of(decision)))
    if not decision.allowed:
        raise SystemExit(3)


def decide(user: str, permission: str, tenant: str, token: str) -> Decision:
    refuse_elsewhere()
    organisation = find(tenant)
    somebody = explaining.person(user)
    if somebody is None:
        near = explaining.near_people(user, organisation)
        hint = f"Did you mean {' or '.join(near)}?" if near else "Give an e-mail address, or an id."
        raise NoSuchPerson(f"Nobody is known as “{user}”.", hint=hint)
    return explaining.explain(somebody, permission, organisation.as_tenant(), token)


def lines_of(decision: Decision) -> Iterator[str]:
    """A decision for people, its answer first."""
    verb = "MAY" if decision.allowed else "MAY NOT"
    yield f"{decision.person} {verb} {decision.permission} in {decision.tenant}."
    yield decision.because
    if decision.hints:
        yield f"Did you mean {' or '.join(decision.hints)}?"
    yield ""
    yield f"{'stands for':12} {decision.title or 'nothing that is declared'}"
    yield f"{'member':12} {'yes' if decision.member else 'no'}"
    for one in decision.roles:
        yield f"{'role':12} {one.role}: {'grants it' if one.allows else 'does not grant it'}"
    if decision.scopes is not None:
        yield f"{'token':12} narrowed to {', '.join(decision.scopes) or 'nothing'}"
    for route in decision.routes:
        yield f"{'needed by':12} {route}"


@cli.command("matrix")
@click.option("--tenant", metavar="T", help="With the roles of a workspace's own: its slug, or id.")
@as_json
def matrix_command(tenant: str | None, as_json: bool) -> None:
    """Show which role has which permission, and which routes need it."""
    if tenant is None:
        rows = matrix.rows()
    else:
        with plain_refusals():
            organisation = find(tenant)
        with serving(organisation.as_tenant()):
            rows = matrix.rows(own=True)
    if as_json:
        click.echo(to_json([asdict(row) for row in rows]))
        return
    for line in table_of(rows):
        click.echo(line)


def table_of(rows: list[matrix.Row]) -> Iterator[str]:
    """The matrix as a table, with the routes below each permission."""
    roles = list(rows[0].roles) if rows else []
    width = max([len(row.permission) for row in rows], default=0)
    yield "  ".join(["permission".ljust(width), *roles])
    for row in rows:
        marks = [("yes" if row.roles[role] else "-").ljust(len(role)) for role in roles]
        yield "  ".join([row.permission.ljust(width), *marks]).rstrip()
        yield from (f"    {route}" for route in row.routes)


def to_json(value: Any) -> str:
    return json.dumps(value, indent=2, default=str)
