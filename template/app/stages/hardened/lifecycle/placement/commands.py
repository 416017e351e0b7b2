"""`flask tenant place`."""

import json
from pathlib import Path

import click

from app.stages.hardened.catalog.places import SILOED
from app.stages.hardened.lifecycle.finding import find
from app.stages.hardened.lifecycle.group import (
    by_operator,
    cli,
    named,
    plain_refusals,
    say,
    the_tenant,
)
from app.stages.hardened.lifecycle.models import Operation
from app.stages.hardened.lifecycle.placement import operations, wishes
from app.stages.hardened.lifecycle.placement.outputs import HOW, BadOutputs
from app.stages.hardened.lifecycle.placement.wishes import BY_TERRAFORM, PLACES

LARGEST_OUTPUTS = 1_000_000
FILE = click.Path(dir_okay=False, path_type=Path)


@cli.command("place")
@the_tenant
@click.option(
    "--to",
    "goal",
    type=click.Choice(tuple(PLACES)),
    help="The pool; silos on the server of SILO_ADMIN_DATABASE_URL; a server of its own; a cloud "
    "account of its own.",
)
@click.option("--outputs", type=FILE, metavar="FILE", help="What Terraform made: its outputs.")
@click.option(
    "--service",
    "services",
    type=click.Choice(SILOED),
    multiple=True,
    help="Whose rows; may be repeated. Default: all.",
)
@click.option("--region", default="", help="An AWS region. Default: what the catalog says.")
@click.option("--email", default="", help="With account: the account's address, of no other one.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where Terraform's variables go. Default: instance/placements/.",
)
@by_operator
def place_command(
    slug: str,
    goal: str | None,
    outputs: Path | None,
    services: tuple[str, ...],
    region: str,
    email: str,
    folder: Path | None,
    operator: str,
) -> None:
    """Say where a tenant shall live, and make ready what that needs.

    No row moves: that is `flask tenant move`. A server or an account of its own is made by
    Terraform, infra/terraform/tenant, from the variables that this writes; once it was applied,
    --outputs tells the catalog what was made. If it was interrupted, run the same command again.
    """
    if (goal is None) == (outputs is None):
        raise click.UsageError("Say one of --to and --outputs.")
    with plain_refusals():
        if outputs is not None:
            told = read_file(outputs)
            tell_entered(operations.enter(slug, told, named(operator), say))
            return
        wish = wishes.wish(
            find(slug).id,
            goal or "",
            services=services,
            region=region,
            email=email,
            folder=str(folder.absolute()) if folder else "",
        )
        tell_placed(operations.place(slug, wish, named(operator), say))


def read_file(path: Path) -> object:
    """What the file of outputs says; raises `BadOutputs`."""
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_OUTPUTS + 1)
    except OSError as error:
        raise BadOutputs(f"{path} can't be read: {error.strerror}.", hint=HOW) from None
    if len(text) > LARGEST_OUTPUTS:
        raise BadOutputs(f"{path} is too large to be outputs of Terraform.", hint=HOW)
    try:
        return json.loads(text)
    except ValueError as error:
        raise BadOutputs(f"{path} isn't JSON: {error}", hint=HOW) from None


def tell_placed(done: Operation) -> None:
    wished = done.wishes
    click.echo(f"{done.slug} shall live in {PLACES[wished['to']]}.")
    if wished["to"] in BY_TERRAFORM:
        click.echo(
            f"Variables: {done.proof['file']}\n"
            "Next:  apply them with infra/terraform/tenant, then\n"
            f"       terraform output -json > outputs.json\n"
            f"       flask tenant place {done.slug} --outputs outputs.json"
        )
    elif wished["to"] == "silo":
        tell_how_to_move(done.slug, wished["services"])


def tell_entered(done: Operation) -> None:
    click.echo(f"The catalog knows where {done.slug} shall live.")
    click.echo(f"The server's administrator is in {done.proof['administrator']}.")
    tell_how_to_move(done.slug, sorted(done.wishes["targets"]))


def tell_how_to_move(slug: str, services: list[str]) -> None:
    for service in services:
        click.echo(f"Next:  flask tenant move {slug} --service {service} --to silo")
