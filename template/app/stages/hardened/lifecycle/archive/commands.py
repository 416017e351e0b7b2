"""`flask tenant export`, `import` and `restore`."""

import json
from pathlib import Path

import click

from app.stages.hardened.lifecycle.archive.files import Reader
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

a_file = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
trust = click.option(
    "--trust",
    multiple=True,
    metavar="FINGERPRINT",
    help="Take an archive that this key signed: that of the installation it comes from, as "
    "`flask keys show` names it there. May be repeated.",
)


@cli.command("export")
@the_tenant
@click.option(
    "--file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to. Default: a file of its own in instance/archives/.",
)
@by_operator
def export_command(slug: str, file: Path | None, operator: str) -> None:
    """Write everything of one tenant into an archive: a zip that `import` and `restore` read.

    Each database is read as of one moment. People are in it with their addresses, names and roles,
    API keys with their names; never a password's or a key's hash. Encrypted
    columns stay encrypted with this installation's keys.
    """
    with plain_refusals():
        found = find(slug)
        target = str(file.absolute()) if file else ""
        done = perform("export", found.id, found.slug, named(operator), say=say, file=target)
    click.echo(f"Wrote {done.proof['rows']:,} rows of {done.slug} to {done.proof['file']}")


@cli.command("import")
@a_file
@trust
@by_operator
def import_command(file: Path, trust: tuple[str, ...], operator: str) -> None:
    """Bring the tenant of an archive here, with the ids and the slug that it has.

    A tenant that is here already is refused, and so is an archive that isn't as it was exported or
    whose tables are at other migrations. Who has an account with a confirmed address of the
    archive's belongs to the tenant again; the others are invited by mail.
    """
    with plain_refusals():
        with Reader(file, trust) as archive:
            manifest = archive.manifest
        done = perform(
            "import",
            archive.tenant_id,
            manifest.slug,
            named(operator),
            say=say,
            file=str(file.absolute()),
            trust=sorted(trust),
        )
    people = done.proof["people"]
    click.echo(
        f"{done.slug} is here with {done.proof['written']:,} rows. "
        f"{len(people['joined'])} people belong to it; {len(people['invited'])} were invited."
    )
    if people["other_ids"]:
        click.echo(
            f"{people['other_ids']} people have other ids here than where it comes from: rows that "
            "name them show “A former member”."
        )
    if people["fewer_roles"]:
        click.echo(
            "An invitation is into one role. Give these their other roles once they have come: "
            f"{', '.join(people['fewer_roles'])}"
        )
    if done.proof["keys"]:
        click.echo(f"{done.proof['keys']} API keys don't work here: keys.ndjson names them.")
    if done.proof["sign_on"]:
        click.echo("Its single sign-on waits for its client secret: Settings, Single sign-on.")


@cli.command("restore")
@the_tenant
@a_file
@trust
@click.option("--yes", is_flag=True, help="Don't ask.")
@by_operator
def restore_command(
    slug: str, file: Path, trust: tuple[str, ...], yes: bool, operator: str
) -> None:
    """Put a tenant back as an archive has it: its rows of every service are replaced.

    Nobody gets at its rows meanwhile, and it's exported first, so that a restore can be taken
    back. Its people, roles and rules of signing in stay as they are now.
    """
    with plain_refusals():
        found = find(slug)
        yes or click.confirm(f"Replace the rows of {found.slug} with those of {file}?", abort=True)
        done = perform(
            "restore",
            found.id,
            found.slug,
            named(operator),
            say=say,
            file=str(file.absolute()),
            trust=sorted(trust),
        )
    click.echo(f"{done.slug} is as the archive has it: {done.proof['written']:,} rows.")
    click.echo(f"As it was before: {done.proof['before']['file']}")


@cli.command("archive")
@a_file
@trust
def archive_command(file: Path, trust: tuple[str, ...]) -> None:
    """Check an archive and show what is in it."""
    with plain_refusals(), Reader(file, trust) as archive:
        manifest = archive.manifest
    click.echo(f"{manifest.name} ({manifest.slug}, {manifest.tenant_id})")
    click.echo(f"exported {manifest.exported_at} at {manifest.stage}, release {manifest.release}")
    click.echo(f"signed by {archive.signer}")
    click.echo(f"migrations {json.dumps(manifest.migrations)}")
    for name, its in manifest.files.items():
        click.echo(f"{its.rows:>12,}  {its.sha256[:16]}  {name}")
