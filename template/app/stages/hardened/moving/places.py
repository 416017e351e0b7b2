"""Where the pools and silos are that rows move between, and making and removing a silo."""

from flask import Flask
from sqlalchemy import URL, make_url

from app.db import db
from app.stages.hardened.catalog import api as catalog
from app.stages.hardened.catalog import drivers
from app.stages.hardened.catalog.passwords import new_ref
from app.stages.hardened.catalog.places import Target
from app.stages.hardened.lifecycle.placement import wishes
from app.stages.hardened.moving.errors import CannotMove
from app.stages.hardened.moving.sides import Side
from app.stages.hardened.silos.names import Passwords, database_of, owner_of
from app.stages.hardened.silos.server import administrators
from app.stages.hardened.stores import admin_url, store_of
from app.tenancy import Tenant


def pool_of(app: Flask, service: str) -> Side:
    """A service's pool, as somebody who may replicate from there and to there."""
    store = make_url(store_of(app, service).owner_url)
    if store.get_backend_name() != "postgresql":
        raise CannotMove("Rows move between PostgreSQL databases; this pool is SQLite.")
    auth = make_url(store_of(app, "auth").owner_url)
    if same_server(auth, store) and auth.database == store.database:
        raise CannotMove(
            f"{service} shares its database with auth, as where one process serves everything.",
            hint="Rows move where each service has a database of its own: see docs/services.md.",
        )
    admin = app.config["SETTINGS"].pool_admin_database_url
    silos = admin_url(app)
    if not admin and silos and same_server(make_url(silos), store):
        admin = silos
    return Side("pool", make_url(admin).set(database=store.database) if admin else store)


def same_server(one: URL, other: URL) -> bool:
    return (one.host, one.port or 5432) == (other.host, other.port or 5432)


def silo_of(app: Flask, name: str) -> Side:
    """A silo by the name of its target, as the administrator of its server reaches it.

    Raises `CannotMove` where that is another server: no other one is told the password.
    """
    target = catalog.target(name)
    admin = administrators(admin_url(app))
    if target.host:  # Where it isn't said, an account's secret says it.
        refuse_another_server(admin, target)
    return Side("silo", admin.set(database=target.database))


def make_silo(app: Flask, service: str, tenant: Tenant) -> Target:
    """Make a tenant's silo, and make it known. What is there already stays."""
    from app.stages.hardened.silos import create  # Alembic is slow to import.

    admin = administrators(admin_url(app))
    database = database_of(service, tenant.id)
    target = known_target(database) or catalog.add_target(
        Target(
            database,
            service,
            "silo",
            admin.host or "127.0.0.1",
            admin.port or 5432,
            database,
            database,
            owner_of(database),
            new_ref(service),
        )
    )
    refuse_another_server(admin, target)
    # As its driver knows them: those of an account's database lie there.
    urls = make_url(drivers.engine_url(target)), make_url(drivers.owner_url(target))
    passwords = Passwords(*(str(url.password) for url in urls))
    create.make(admin_url(app), service, tenant.id, passwords)
    db.session.commit()
    return target


def refuse_another_server(admin: URL, target: Target) -> None:
    """Raises `CannotMove` where the silo would be made on another server than it's known at."""
    if not is_at(admin, target) and admin.host:
        raise CannotMove(
            f"“{target.name}” is to be on {target.host}:{target.port}, and "
            f"SILO_ADMIN_DATABASE_URL names {admin.host}:{admin.port or 5432}.",
            hint="Set it to the administrator of that server for as long as the move lasts.",
        )


def is_at(server: URL, target: Target) -> bool:
    return same_server(server, URL.create("postgresql", host=target.host, port=target.port))


def refuse_what_is_not_made(tenant: Tenant, service: str) -> None:
    """Raises `CannotMove` for a tenant that shall have a server or an account of its own, as long
    as the catalog doesn't know that: its rows would go to everybody's silos."""
    wished = wishes.last(tenant.id)
    if wished is None or wished.wishes["to"] not in wishes.BY_TERRAFORM:
        return
    if service not in wished.wishes["services"]:
        return
    if known_target(database_of(service, tenant.id)) is None:
        raise CannotMove(
            f"{tenant.slug} shall live in {wishes.PLACES[wished.wishes['to']]}, and nobody entered "
            "yet what Terraform made.",
            hint=f"flask tenant place {tenant.slug} --outputs outputs.json, or take it back with "
            f"flask tenant place {tenant.slug} --to pool",
        )


def known_target(name: str) -> Target | None:
    return next((one for one in catalog.targets() if one.name == name), None)


def drop_silo(app: Flask, service: str, tenant: Tenant, name: str) -> None:
    """Remove a silo that nobody is placed in. One that was never made, or that is on another
    server than ours because somebody entered it, is left as it is."""
    from app.stages.hardened.silos import create

    admin, target = admin_url(app), known_target(name)
    if not admin or (target and not is_at(administrators(admin), target)):
        return
    if target:
        catalog.remove_target(name)
    create.drop(admin_url(app), service, tenant.id)
    db.session.commit()
