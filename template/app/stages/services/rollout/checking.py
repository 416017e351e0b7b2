"""`flask rollout check`: whether the release before can live with the new migrations."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import click
from flask.cli import with_appcontext

from app import migrate
from app.db import TEAMS
from app.stages.services.rollout import migrations
from app.stages.services.rollout.errors import Refused
from app.stages.services.rollout.opening import (
    cli,
    opened,
    plain_refusals,
)
from app.stages.services.rollout.store import Store


@cli.command("check")
@click.option(
    "--since",
    multiple=True,
    metavar="REVISION",
    help="The newest migration of a package in the release before; may be repeated.",
)
@click.option("--git", "ref", metavar="REF", help="The release before as a tag or commit of git.")
@with_appcontext
def check_command(since: tuple[str, ...], ref: str | None) -> None:
    """Look whether the release before can live with the migrations that are new in this code.

    The release before is the one that everybody has; or say --since or --git, which need no
    database.
    """
    with plain_refusals():
        if ref:
            before = heads_at(ref)
        elif since:
            before = heads_from(since)
        else:
            with opened(writing=False) as store:
                before = heads_of_serving(store)
        check_migrations(before)


def check_migrations(before: migrations.Heads) -> None:
    """Show what is new, and refuse what the release before can't live with."""
    checked = migrations.check(before)
    if not checked:
        click.echo("Migrations: none is new.")
    for one in checked:
        verdict = "adds only" if not one.findings else one.reason or "refused"
        click.echo(f"Migrations: {one.revision} ({one.title.rstrip('.')}): {verdict}")
    refused = [finding for one in checked if one.is_refused for finding in one.findings]
    if not refused:
        return
    shown = "\n".join(
        f"- {one.revision} {one.step}: {one.why}.\n  {one.instead}" for one in refused
    )
    raise Refused(
        f"The release before can't live with these migrations:\n{shown}\nIf it can, say why in "
        'the migration\'s file, in a sentence: contract = "..."'
    )


def heads_of_serving(store: Store) -> migrations.Heads:
    release, _previous = store.serving()
    if release is None:
        raise Refused("No release is known yet. Begin with: flask rollout adopt RELEASE")
    known = store.release(release)
    return known.heads if known else {}


def heads_from(revisions: Sequence[str]) -> migrations.Heads:
    """The packages that aren't named are as they are now."""
    found = dict(migrations.heads())
    named: dict[str, list[str]] = {}
    for revision in revisions:
        package = next((one for one in found if revision.startswith(f"{one}_")), TEAMS)
        named.setdefault(package, []).append(revision)
    return found | named


def heads_at(ref: str) -> migrations.Heads:
    """The migrations that a commit has, by their files."""
    found = {}
    for package in migrations.heads():
        folders = migrate.folders_of(package)
        found[package] = [one for folder in folders for one in revisions_at(ref, folder)]
    return found


def revisions_at(ref: str, folder: Path) -> list[str]:
    """The migrations that lie in a folder at a commit. A folder that is new has none there."""
    done = subprocess.run(  # noqa: S603  # git itself refuses what is no commit.
        ["git", "ls-tree", "--name-only", ref, "./"],  # noqa: S607
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Refused(f"git knows no {ref}: {done.stderr.strip()}")
    return [
        match[1]
        for name in done.stdout.split()
        if (file := folder / name).is_file()
        and (match := migrate.REVISION.search(file.read_text("utf-8")))
    ]
