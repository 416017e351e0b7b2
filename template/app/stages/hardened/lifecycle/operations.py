"""`flask tenant operations` and `resume-operation`: what is under way, and going on with it."""

import click

from app.stages.hardened.lifecycle import ledger
from app.stages.hardened.lifecycle.doing import go_on
from app.stages.hardened.lifecycle.finding import refuse_elsewhere
from app.stages.hardened.lifecycle.group import cli, plain_refusals, say
from app.stages.hardened.lifecycle.models import Operation


@cli.command("operations")
@click.option("--all", "everything", is_flag=True, help="Also those that are at their end.")
def operations_command(everything: bool) -> None:
    """List the operations that are under way or were interrupted, newest first."""
    with plain_refusals():
        refuse_elsewhere()
        found = ledger.recent(open_ones=not everything)
    for one in found:
        click.echo(line_of(one))
        if one.error:
            click.echo(f"    {one.error.splitlines()[0]}")
    if not found:
        click.echo("Nothing is under way.")


def line_of(one: Operation) -> str:
    at = f" at “{one.doing}”" if one.doing else ""
    state = "running" if one.is_held else "interrupted" if one.state == "running" else one.state
    return f"{one.id}  {one.kind:8} {one.slug:24} {state}{at}  {one.operator}"


@cli.command("resume-operation")
@click.argument("operation_id", metavar="ID")
def resume_operation_command(operation_id: str) -> None:
    """Go on with an operation that was interrupted, where it was."""
    with plain_refusals():
        refuse_elsewhere()
        found = ledger.find(operation_id)
        if not found.is_open:
            raise click.ClickException(f"It is {found.state} already.")
        done = go_on(found.id, say)
    click.echo(f"{done.kind} of {done.slug}: {done.state}.")
