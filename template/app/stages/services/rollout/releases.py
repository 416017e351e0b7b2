"""`flask rollout adopt`, `release`, `pin`, `unpin`: which releases there are, and pins by hand."""

import re
from collections.abc import Sequence

import click
from flask import current_app
from flask.cli import with_appcontext

from app.stages.services.rollout import at_releases, migrations
from app.stages.services.rollout.errors import Refused
from app.stages.services.rollout.opening import (
    cli,
    name_of,
    opened,
    reason_option,
    release_argument,
    template,
    who_option,
    why_option,
)
from app.stages.services.rollout.store import Store
from app.stages.services.settings import SERVICES

PLACE = re.compile(r"[^\s:/{}]+:\d{1,5}")


@cli.command("adopt")
@release_argument
@click.option(
    "--at",
    multiple=True,
    metavar="SERVICE=HOST:PORT",
    help="Where a service of it answers, if not at ROLLOUT_UPSTREAMS; may be repeated.",
)
@who_option
@why_option
@with_appcontext
def adopt_command(release: str, at: tuple[str, ...], who: str | None, why: str) -> None:
    """Say which release everybody has, before the first rollout.

    Run it in the code of that release: it notes which migrations the release has.
    """
    with opened() as store:
        refuse_other_code(release)
        if store.serving()[0] is not None:
            raise Refused(
                f"{store.serving()[0]} serves everybody already. Bring the next release with: "
                "flask rollout start RELEASE"
            )
        store.know(release, upstreams_from(at), migrations.heads())
        refuse_absent(store, release)
        store.adopt(release, name_of(who), why)
    click.echo(f"Everybody has {release}. The next one: flask rollout start RELEASE")


@cli.command("release")
@release_argument
@click.option(
    "--at",
    multiple=True,
    required=True,
    metavar="SERVICE=HOST:PORT",
    help="Where a service of it answers: one address, if need be of a load balancer.",
)
@with_appcontext
def release_command(release: str, at: tuple[str, ...]) -> None:
    """Say where a release answers, if it isn't at ROLLOUT_UPSTREAMS."""
    with opened() as store:
        store.know(release, upstreams_from(at), None)
    click.echo(f"{release} is known.")


def upstreams_from(at: Sequence[str]) -> dict[str, str]:
    found = {}
    for one in at:
        service, _, place = one.partition("=")
        if service not in SERVICES or not PLACE.fullmatch(place):
            raise Refused(
                f"--at {one}: must be SERVICE=HOST:PORT, with one of {', '.join(SERVICES)}."
            )
        found[service] = place
    return found


def refuse_other_code(release: str) -> None:
    """The migrations that we compare are those of the code that runs."""
    own = current_app.config["SETTINGS"].release
    if own not in {"dev", release}:
        raise Refused(f"This is the code of {own} (RELEASE). Run it in that of {release}.")


def refuse_absent(store: Store, release: str) -> None:
    """A release exists if its services answer where the gateway would look for them."""
    where = at_releases.addresses(store, template(), release)
    if said := at_releases.trouble(where, "/healthz"):
        raise Refused(
            f"The release {release} isn't there: {said}\nIs it deployed? Where it answers is said "
            "by ROLLOUT_UPSTREAMS, or by: flask rollout release RELEASE --at SERVICE=HOST:PORT"
        )


@cli.command("pin")
@click.argument("slug")
@release_argument
@who_option
@reason_option
@with_appcontext
def pin_command(slug: str, release: str, who: str | None, why: str) -> None:
    """Pin one tenant to a release by hand. Rollouts leave it alone until it's unpinned."""
    with opened() as store:
        store.pin(slug, release, name_of(who), why)
    click.echo(f"{slug} has {release} until: flask rollout unpin {slug}")


@cli.command("unpin")
@click.argument("slug")
@who_option
@why_option
@with_appcontext
def unpin_command(slug: str, who: str | None, why: str) -> None:
    """Let a tenant have what everybody has."""
    with opened() as store:
        store.pin(slug, None, name_of(who), why)
    click.echo(f"{slug} has what everybody has.")
