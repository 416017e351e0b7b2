"""Create: a tenant with its first owner, in the pool or with silos of its own.

In the pool that is one transaction. With silos the tenant is `provisioning`, open to nobody, until
all of them are there; the step that places it makes it active.
"""

from dataclasses import dataclass
from uuid import UUID

import click
from flask import current_app
from sqlalchemy import func, select
from sqlalchemy.engine import URL, make_url

from app import events
from app.auth import emails, tenants
from app.auth.models import Organisation, User
from app.columns import new_id
from app.db import db
from app.errors import Refused
from app.stages.hardened import stores
from app.stages.hardened.catalog import api as catalog
from app.stages.hardened.catalog import drivers, passwords
from app.stages.hardened.catalog.models import TargetRow
from app.stages.hardened.catalog.places import SILOED, Target
from app.stages.hardened.lifecycle import fences, ledger
from app.stages.hardened.lifecycle.archive import people
from app.stages.hardened.lifecycle.database import Database
from app.stages.hardened.lifecycle.doing import go_on
from app.stages.hardened.lifecycle.finding import refuse_elsewhere, with_slug
from app.stages.hardened.lifecycle.group import by_operator, cli, named, plain_refusals, say
from app.stages.hardened.lifecycle.ledger import find, with_key
from app.stages.hardened.lifecycle.models import Operation
from app.stages.hardened.lifecycle.running import Say, Step, Work, ignore, kind, note
from app.stages.hardened.silos.names import Passwords, database_of, owner_of
from app.tenancy import enter

PLACES = ("pool", "silo")


class NoRoomLeft(Refused):
    """The installation takes no more tenants, or no more silos."""

    title = "There is no room for another workspace"


class NoSilos(Refused):
    """Silos can't be made here."""

    title = "No silos here"


@dataclass(frozen=True, slots=True)
class NewTenant:
    """What somebody wishes of a tenant that isn't there yet."""

    slug: str
    owner: str
    name: str = ""
    place: str = "pool"
    tier: str = ""
    region: str = ""


def create(new: NewTenant, operator: str, *, say: Say = ignore) -> Operation:
    """Make a tenant. To ask for the same again goes on with what was begun, or finds it done."""
    begun = begin(new, operator)
    return go_on(begun.id, say) if begun.is_open else begun


def begin(new: NewTenant, operator: str) -> Operation:
    """The operation that makes this very tenant: one that did, the open one, or a new one."""
    refuse_elsewhere()
    if new.place not in PLACES:
        raise Refused(f"{new.place!r} is no place: {' and '.join(PLACES)} are.")
    asked = {
        "name": new.name or new.slug.title(),
        "owner": readable(new.owner),
        "place": new.place,
        "tier": new.tier,
        "region": new.region,
    }
    key = f"new:{new.slug}"
    begun = with_key(key)
    if begun is None:
        if (made := already(new.slug, asked)) is not None:
            return made
        tenants.refuse_unusable(new.slug)
        refuse_taken(new.slug)
        refuse_without_room(new.place)
    tenant_id = begun.tenant_id if begun else new_id()
    db.session.rollback()
    return find(str(ledger.begin("create", tenant_id, new.slug, operator, key, **asked)))


def readable(email: str) -> str:
    try:
        return emails.tidy(email)
    except ValueError as error:
        raise Refused(f"{email!r} is no e-mail address: {error}") from None


def already(slug: str, asked: dict[str, str]) -> Operation | None:
    """The operation that made this very tenant, if one did and it's still there."""
    organisation = with_slug(slug)
    if organisation is None:
        return None
    made = select(Operation).where(
        Operation.tenant_id == organisation.id,
        Operation.kind == "create",
        Operation.state == "done",
    )
    found = db.session.scalars(made).first()
    return found if found and found.wishes == asked else None


def refuse_taken(slug: str) -> None:
    if with_slug(slug):
        raise tenants.SlugRefused(f"“{slug}” is taken. Choose another address.")


def refuse_without_room(place: str) -> None:
    """Raises `NoRoomLeft` for a tenant that isn't taken in, `NoSilos` where none can be made."""
    settings = current_app.config["SETTINGS"]
    here = db.session.scalar(select(func.count()).select_from(Organisation)) or 0
    if here >= settings.most_tenants:
        raise NoRoomLeft(
            f"There are {here:,} workspaces, and MOST_TENANTS is {settings.most_tenants:,}.",
            hint="Raise it once the databases have room for more.",
        )
    if place == "silo":
        refuse_without_room_for_silos()


def refuse_without_room_for_silos(needed: int = len(SILOED)) -> None:
    settings = current_app.config["SETTINGS"]
    if settings.serves == "all":
        raise NoSilos(
            "With SERVES=all every workspace is in the pool: silos need services of their own."
        )
    url = make_url(admin_url())
    on_it = select(func.count()).where(
        TargetRow.kind == "silo", TargetRow.host == (url.host or ""), TargetRow.port == port_of(url)
    )
    used = db.session.scalar(on_it) or 0
    if used + needed > settings.silos_per_server:
        raise NoRoomLeft(
            f"{url.host} has {used} silos, this workspace needs {needed}, and SILOS_PER_SERVER "
            f"is {settings.silos_per_server}.",
            hint="Point SILO_ADMIN_DATABASE_URL at another server.",
        )


def admin_url() -> str:
    """The server on which silos are made; raises `NoSilos`."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    url = stores.admin_url(app)
    if not url:
        raise NoSilos(
            "Nothing says on which server silos are made.", hint="Set SILO_ADMIN_DATABASE_URL."
        )
    return url


def port_of(url: URL) -> int:
    return int(url.port or 5432)


# --- Steps ---------------------------------------------------------------------------------------


def found(work: Work) -> None:
    """Make the tenant and its first owner: in the pool it's open with the same commit."""
    if db.session.get(Organisation, work.tenant_id):
        return
    refuse_taken(work.slug)
    organisation = Organisation(id=work.tenant_id, slug=work.slug, name=work.asked["name"])
    db.session.add(organisation)
    db.session.flush()
    tenant = organisation.as_tenant()
    enter(tenant)
    owner = User.with_email(work.asked["owner"])
    known = owner is not None and owner.email_confirmed_at is not None
    note(work, "workspace.created", owner=work.asked["owner"])
    events.publish("auth.tenant_created", owner=owner.id if owner and known else None)
    if owner is not None and known:
        people.join(work.tenant_id, owner.id, "owner")
    else:
        people.invite(work.tenant_id, work.asked["owner"], "owner")
    facts = {name: work.asked[name] for name in ("tier", "region") if work.asked[name]}
    if facts:
        catalog.set_facts(tenant, **facts)
    if work.asked["place"] == "silo":
        catalog.set_state(tenant, "provisioning", reason="its databases are being made")
    work.keep(owner="member" if known else "invited")


def make_silos(work: Work) -> None:
    """Make each service's silo and make it known; what is there already stays."""
    if work.asked["place"] != "silo":
        return
    from app.stages.hardened.silos import create  # Alembic is slow to import.

    admin = admin_url()
    for number, service in enumerate(SILOED, start=1):
        target = target_for(admin, service, work.tenant_id)
        secrets = Passwords(
            passwords.password_of(target, "app"), passwords.password_of(target, "owner")
        )
        create.make(admin, service, work.tenant_id, secrets)
        catalog.add_target(target)
        db.session.commit()
        work.progress(number, len(SILOED), f"silo of {service}")


def target_for(admin: str, service: str, tenant_id: UUID) -> Target:
    """How a tenant's silo is known, whether it's there yet or not."""
    url = make_url(admin)
    database = database_of(service, tenant_id)
    known = db.session.get(TargetRow, database)
    return Target(
        name=database,
        service=service,
        kind="silo",
        host=url.host or "",
        port=port_of(url),
        database=database,
        role=database,
        owner_role=owner_of(database),
        secret_ref=known.secret_ref if known else passwords.new_ref(service),
    )


def place(work: Work) -> None:
    """Let the catalog and each silo say that the tenant is there."""
    if work.asked["place"] != "silo":
        return
    tenant = work.tenant()
    for service in SILOED:
        here = catalog.place_of(work.tenant_id, service)
        target = catalog.target(database_of(service, work.tenant_id))
        if here.is_pool:
            here = catalog.set_placement(tenant, service, target.name, expected_epoch=here.epoch)
        with Database(drivers.owner_url(target), service) as database:
            fences.open_at(database, work.tenant_id, here.epoch)
    catalog.set_state(tenant, "active")


kind(
    "create",
    Step("found", "Making the workspace", found),
    Step("silos", "Making its databases", make_silos),
    Step("place", "Placing it", place),
)


# --- Command -------------------------------------------------------------------------------------


@cli.command("create")
@click.argument("slug")
@click.option("--owner", required=True, metavar="E-MAIL", help="Its first owner.")
@click.option("--name", default="", help="What people call it. Default: made of the slug.")
@click.option(
    "--place",
    "where",
    type=click.Choice(PLACES),
    default="pool",
    show_default=True,
    help="The pool, or databases of its own on the server of SILO_ADMIN_DATABASE_URL.",
)
@click.option("--tier", default="", help="Noted in the catalog.")
@click.option("--region", default="", help="Noted in the catalog.")
@by_operator
def create_command(
    slug: str, owner: str, name: str, where: str, tier: str, region: str, operator: str
) -> None:
    """Make a tenant with the address SLUG and a first owner.

    An owner with an account belongs to it at once; somebody else gets an invitation by mail. If it
    was interrupted, run the same command again.
    """
    with plain_refusals():
        new = NewTenant(slug, owner, name, where, tier, region)
        done = create(new, named(operator), say=say)
        text = {"member": "belongs to it", "invited": "was invited"}[done.proof["owner"]]
        click.echo(f"{slug} is there ({done.tenant_id}), in the {where}. {owner} {text}.")
