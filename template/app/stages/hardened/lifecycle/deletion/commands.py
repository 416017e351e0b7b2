"""`flask tenant delete` and `flask tenant certificate`."""

import json
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select

from app.auth.models import Organisation
from app.db import db
from app.errors import Refused
from app.stages.hardened.lifecycle import signing
from app.stages.hardened.lifecycle.deletion.operations import KIND
from app.stages.hardened.lifecycle.doing import go_on, perform
from app.stages.hardened.lifecycle.finding import find, refuse_elsewhere
from app.stages.hardened.lifecycle.group import (
    by_operator,
    cli,
    named,
    plain_refusals,
    say,
    the_tenant,
)
from app.stages.hardened.lifecycle.models import Operation


class NoCertificate(Refused):
    """No tenant of this name was deleted here."""

    status = 404
    title = "There is no certificate"


@cli.command("delete")
@the_tenant
@click.option("--yes", is_flag=True, help="Don't ask for the slug again.")
@click.option(
    "--export",
    "export_to",
    default=None,
    metavar="FILE",
    help="Write a last archive there first; - for a file of its own in instance/archives/.",
)
@click.option("--no-export", is_flag=True, help="Write no last archive, and don't ask.")
@by_operator
def delete_command(
    slug: str, yes: bool, export_to: str | None, no_export: bool, operator: str
) -> None:
    """Delete a tenant everywhere, and prove it.

    Its rows in every database, what Redis knows of it, its silos, who belongs to it. People stay,
    and so do the audit trail and a note that it was here. Afterwards every table, Redis and
    instance/ are searched for its id, and a signed certificate says what was found. If it was
    interrupted, run it again: it goes on.
    """
    with plain_refusals():
        begun = unfinished(slug)
        if begun is None:
            found = find(slug)
            tenant_id, name = found.id, found.slug
            if not yes:
                confirm(found)
            target = wished(export_to, no_export, yes, name)
            db.session.rollback()
            done = perform("delete", tenant_id, name, named(operator), say=say, export=target)
        else:
            click.echo(f"Going on with what {begun.operator} began.", err=True)
            done = go_on(begun.id, say)
    show(done)


def unfinished(slug: str) -> Operation | None:
    """A deletion that was interrupted: auth may know the tenant's slug no more."""
    refuse_elsewhere()
    begun = select(Operation).where(
        Operation.kind == "delete", Operation.open_key.is_not(None), Operation.slug == slug
    )
    return db.session.scalars(begun).first()


def confirm(found: Organisation) -> None:
    click.echo(f"This deletes all rows of {found.name} ({found.slug}) in every database.")
    if click.prompt("Type its slug to go on") != found.slug:
        raise click.ClickException("That isn't its slug. Nothing was deleted.")


def wished(export_to: str | None, no_export: bool, yes: bool, slug: str) -> str:
    """Where the last archive goes; nowhere is empty."""
    if export_to:
        return export_to if export_to == "-" else str(Path(export_to).absolute())
    if no_export or yes:
        return ""
    return "-" if click.confirm(f"Write a last archive of {slug} first?", default=True) else ""


def show(done: Operation) -> None:
    proof = done.proof
    before = {name: sum(tables.values()) for name, tables in proof["before"].items()}
    for name, count in before.items():
        click.echo(f"{name:24} {count:>10,} before  0 after")
    scanned = proof["scanned"]
    click.echo(
        f"Searched {scanned['rows']:,} rows of {scanned['tables']:,} tables, "
        f"{scanned['redis_keys']:,} keys of Redis and {scanned['files']:,} files: it's nowhere, "
        "but in what is kept on purpose:"
    )
    for place in scanned["kept_on_purpose"]:
        click.echo(f"  {place}")
    if "export" in proof:
        click.echo(f"Its last archive, which you keep or remove: {proof['export']['file']}")
    for file in proof.get("terraform", []):
        click.echo(f"What Terraform made for it is yours to destroy, with its variables: {file}")
    click.echo(f"\nThe certificate (flask tenant certificate {done.slug}):\n{proof['certificate']}")


@cli.command("certificate")
@the_tenant
@click.option("--verify", is_flag=True, help="Check the signature, and show what it says.")
@click.option("--trust", multiple=True, metavar="FINGERPRINT", help="A key to trust, too.")
def certificate_command(slug: str, verify: bool, trust: tuple[str, ...]) -> None:
    """Print the certificate of a tenant that was deleted: by its slug, or its id."""
    with plain_refusals():
        certificate = certificate_of(slug)
        if not verify:
            click.echo(certificate)
            return
        said, signer = signing.read(KIND, certificate, trust)
    click.echo(json.dumps(said, indent=2))
    click.echo(f"The signature is right; the key is {signer}.", err=True)


def certificate_of(slug: str) -> str:
    """The newest certificate for a slug or an id; raises `NoCertificate`."""
    refuse_elsewhere()
    deleted = (
        select(Operation)
        .where(Operation.kind == "delete", Operation.state == "done")
        .order_by(Operation.id.desc())
    )
    for operation in db.session.scalars(deleted):
        if slug in {operation.slug, str(operation.tenant_id)}:
            found: Any = operation.proof["certificate"]
            return str(found)
    raise NoCertificate(f"No workspace called “{slug}” was deleted here.")
