"""`flask walls`: what keeps tenants apart in the databases, table by table."""

import click
from flask import current_app
from flask.cli import with_appcontext

from app.stages.hardened.walls import lint, start

KINDS = {
    "tenant": "its own rows",
    "shared": "its own rows; all where no tenant is set",
}


@click.command("walls")
@with_appcontext
def walls() -> None:
    """Show table by table what keeps tenants apart in the databases, and what doesn't.

    Asked as the application's role. It ends with 1 if anything is open that keeps the application
    from starting.
    """
    open_ones = [show(name) for name in start.engines()]
    if any(open_ones):
        raise click.ClickException("Walls are open: nothing starts like this.")


def show(name: str) -> bool:
    """One database; whether anything in it is open."""
    with start.engines()[name].connect() as connection:
        if connection.dialect.name != "postgresql":
            click.echo(f"{name}: SQLite has no walls; the ORM alone keeps tenants apart here.")
            return current_app.config["SETTINGS"].in_production
        rows, found = lint.standing(connection), lint.findings(connection)
    click.secho(f"{name}: {len(rows)} tables with rows of tenants", bold=True)
    for row in rows:
        mark = click.style("stands", fg="green") if row.stands else click.style("OPEN", fg="red")
        click.echo(f"  {row.name:32} {mark:16} {KINDS[row.kind]}")
    for one in found:
        word = click.style("refused", fg="red") if one.refuses else "notice "
        click.echo(f"  {word} {one}")
    return any(one.refuses for one in found)
