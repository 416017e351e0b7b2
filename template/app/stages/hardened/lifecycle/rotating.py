"""Rotate: other passwords for a tenant's silos, and an end to its sessions and API tokens."""

from dataclasses import replace

import click
import psycopg
from psycopg import sql
from sqlalchemy import select

from app.auth.models import ApiToken, Membership, User
from app.db import db, now
from app.errors import Refused
from app.stages.hardened.catalog import api as catalog
from app.stages.hardened.catalog import drivers, passwords
from app.stages.hardened.catalog.places import SILOED, Target
from app.stages.hardened.lifecycle.creating import admin_url
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
from app.stages.hardened.silos.places import refuse_other_servers
from app.stages.hardened.silos.server import connected

ROLES: tuple[passwords.Role, passwords.Role] = ("app", "owner")


class NothingToRotate(Refused):
    """The tenant is in the pool, where the passwords are everybody's."""

    title = "There is nothing to rotate"


def silos_of(work: Work) -> list[Target]:
    found = (catalog.place_of(work.tenant_id, service).target for service in SILOED)
    return [target for target in found if target and target.kind == "silo"]


def choose(work: Work) -> None:
    """Decide once what the new secrets are, so that a second try makes the same ones."""
    if work.asked["passwords"]:
        targets = silos_of(work)
        refs = {target.name: passwords.next_ref(target) for target in targets}
        if refs:
            refuse_other_servers(admin_url(), targets)
        if not refs:
            raise NothingToRotate(
                f"{work.slug} is in the pool, whose passwords are everybody's: change those in "
                "the services' settings.",
                hint="To end its sessions and tokens: --sessions",
            )
        work.keep(refs=refs)


def change_passwords(work: Work) -> None:
    """Change the passwords of each silo's roles on its server, and see that they open.

    Open connections stay. Who opens one before the catalog tells the new secret finds it by
    itself: it's the next one (`passwords.next_password`). So nothing fails in between, nor if
    whoever changes them is killed here.
    """
    if not work.asked["passwords"]:
        return
    admin = admin_url()
    targets = silos_of(work)
    for number, target in enumerate(targets, start=1):
        changed = target_with(target, work.evidence["refs"][target.name])
        with connected(admin) as connection, connection.transaction():
            for role, name in zip(ROLES, (target.role, target.owner_role), strict=True):
                set_password(connection, name, changed, role)
        for url in (drivers.engine_url(changed), drivers.owner_url(changed)):
            with psycopg.connect(url.replace("postgresql+psycopg", "postgresql", 1)):
                pass
        work.progress(number, len(targets), "silos with another password")


def tell_catalog(work: Work) -> None:
    """Let the services know which secret it is."""
    for name, ref in work.evidence.get("refs", {}).items():
        catalog.set_secret(name, ref)


def target_with(target: Target, ref: str) -> Target:
    return replace(target, secret_ref=ref)


def set_password(
    connection: psycopg.Connection, name: str, target: Target, role: passwords.Role
) -> None:
    connection.execute(
        sql.SQL("ALTER ROLE {} PASSWORD {}").format(
            sql.Identifier(name), sql.Literal(passwords.password_of(target, role))
        )
    )


def end_sessions(work: Work) -> None:
    """End the sessions of everybody who belongs to it, and revoke its API tokens."""
    if not work.asked["sessions"]:
        note_in_tenant(work, "tenant.rotated", passwords=True)
        return
    people = (
        select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.tenant_id == work.tenant_id)
    )
    ended = 0
    for user in db.session.scalars(people):
        user.end_sessions()
        ended += 1
    open_tokens = select(ApiToken).where(
        ApiToken.tenant_id == work.tenant_id, ApiToken.revoked_at.is_(None)
    )
    revoked = 0
    for token in db.session.scalars(open_tokens):
        token.revoked_at = now()
        revoked += 1
    work.keep(sessions=ended, tokens=revoked)
    note_in_tenant(
        work, "tenant.rotated", passwords=work.asked["passwords"], people=ended, tokens=revoked
    )


kind(
    "rotate",
    Step("choose", "Choosing new secrets", choose),
    Step("passwords", "Changing passwords", change_passwords),
    Step("catalog", "Telling the catalog", tell_catalog),
    Step("sessions", "Ending sessions and tokens", end_sessions),
)


@cli.command("rotate")
@the_tenant
@click.option("--passwords/--no-passwords", default=True, help="Those of its silos' roles.")
@click.option(
    "--sessions",
    is_flag=True,
    help="Sign out everybody who belongs to it, everywhere, and revoke its API tokens.",
)
@by_operator
def rotate_command(slug: str, passwords: bool, sessions: bool, operator: str) -> None:
    """Give a tenant other secrets: the database passwords of its silos, without downtime.

    The new ones are derived from SILO_SECRET with the next version, and the catalog tells the
    services. With --sessions its people log in again and its API tokens are dead. It rotates no
    encryption keys: those of ENCRYPTION_KEYS are everybody's.
    """
    with plain_refusals():
        found = find(slug)
        done = perform(
            "rotate",
            found.id,
            found.slug,
            named(operator),
            say=say,
            passwords=passwords,
            sessions=sessions,
        )
    proof = done.proof
    click.echo(f"{done.slug}: {len(proof.get('refs', {}))} silos have other passwords.")
    if sessions:
        click.echo(f"{proof['sessions']} people are signed out, {proof['tokens']} tokens revoked.")
