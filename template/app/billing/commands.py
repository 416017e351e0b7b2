"""`flask billing`: what an operator does about billing."""

import click
from flask import Flask
from flask.cli import AppGroup

from app import auth
from app.billing.payments import catalogue, payments
from app.billing.plans import UnknownInPlans
from app.billing.subscriptions import grant
from app.db import db
from app.errors import Unavailable
from app.tenancy import serving

cli = AppGroup("billing", help="Plans at Stripe, and plans that nobody pays for.")


def init_app(app: Flask) -> None:
    app.cli.add_command(cli)


@cli.command("push")
def push_command() -> None:
    """Make the prices and meters of plans.toml at Stripe."""
    if payments().name != "stripe":
        raise click.ClickException("Set STRIPE_SECRET_KEY first.")
    try:
        for line in catalogue.push():
            click.echo(line)
    except Unavailable as error:
        raise click.ClickException(f"{error} Run it again: what is there stays.") from None


@cli.command("grant")
@click.argument("workspace")
@click.argument("plan")
def grant_command(workspace: str, plan: str) -> None:
    """Put the workspace with this slug on a plan that nobody pays for."""
    tenant = auth.find_tenant(workspace)
    if tenant is None:
        raise click.ClickException(f"There is no workspace {workspace!r}.")
    with serving(tenant):
        try:
            grant(plan)
        except UnknownInPlans as error:
            raise click.ClickException(str(error)) from None
        db.session.commit()
    click.echo(f"{tenant.name} is on {plan} now.")
