"""The small world that is asked about: two tenants with projects, and somebody who may see one.

Imported in the project's own environment, once its `app` can be imported.
"""

import json
import os
import secrets
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app import create_app, migrate
from app.auth import sessions
from app.auth.identity import TOKEN_PREFIX, hash_of
from app.auth.models import ApiToken, Membership, Organisation, User
from app.db import close_connections, db
from app.dev.postgres import Postgres
from app.features.projects.models import Project
from app.tenancy import serving
from cryptography.fernet import Fernet
from flask import Flask, session
from itsdangerous import TimestampSigner

PROJECTS = 200  # in each tenant
MINE, OTHER = "acme", "initech"


@dataclass(frozen=True, slots=True)
class World:
    """A database with rows in it, and what it takes to ask a server for them."""

    settings: dict[str, str]
    cookie: str
    peer_cookie: str
    token: str


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """The URL of an empty database on a real PostgreSQL, as a role that owns nothing in it."""
    with Postgres(folder) as server:
        server.make_database("bench")
        url, owner_url = server.make_roles("bench")
        os.environ["MIGRATIONS_DATABASE_URL"] = owner_url
        yield url


def make_world(url: str, folder: Path) -> World:
    """Migrate the database, fill it, and sign somebody in."""
    settings = {
        "APP_ENV": "production",
        "DATABASE_URL": url,
        "SECRET_KEY": secrets.token_urlsafe(32),
        "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "PUBLIC_URL": "https://app.example.com",
        "SMTP_URL": "smtp://mail.example.com:587",  # Nothing is sent.
        "MAIL_FROM": "hello@example.com",
    }
    given = {"app_env": "testing", "database_url": url, "secret_key": settings["SECRET_KEY"]}
    app = create_app(given)
    app.instance_path = str(folder)
    migrate.upgrade(app)
    with app.app_context():
        user = User(email="ada@acme.test", email_norm="ada@acme.test", name="Ada", password_hash="")
        db.session.add(user)
        db.session.commit()
        for slug in (MINE, OTHER):
            found(slug, user)
        token = token_for(user)
        world = World(settings, cookie_of(app, user), peer_cookie_of(app, user), token)
        db.session.remove()
    close_connections(app)
    return world


def found(slug: str, user: User) -> None:
    """A tenant full of projects; Ada belongs to hers only."""
    organisation = Organisation(slug=slug, name=slug.title())
    db.session.add(organisation)
    db.session.flush()
    if slug == MINE:
        db.session.add(Membership(tenant_id=organisation.id, user_id=user.id, role="owner"))
    db.session.commit()
    fill(organisation, user)


def fill(organisation: Organisation, user: User) -> None:
    """Projects for a tenant."""
    slug, user_id = organisation.slug, user.id
    with serving(organisation.as_tenant()):
        for number in range(PROJECTS):
            name, text = f"{slug} project {number}", f"What number {number} is about."
            db.session.add(Project(name=name, description=text, created_by=user_id))
        db.session.commit()


def cookie_of(app: Flask, user: User) -> str:
    """The cookie of a real session."""
    with app.test_request_context():
        sessions.start(user)
        db.session.commit()  # A later stage keeps a row of each.
        signer = app.session_interface.get_signing_serializer(app)
        return f"session={signer.dumps(dict(session))}"


def peer_cookie_of(app: Flask, user: User) -> str:
    """The same as Starlette's SessionMiddleware would have set it."""
    held = b64encode(json.dumps({"user_id": user.id.hex, "stamp": user.session_stamp}).encode())
    return f"session={TimestampSigner(app.secret_key).sign(held).decode()}"


def make_neighbours(world: World, folder: Path, count: int) -> dict[str, str]:
    """So many more tenants, each with somebody in it: the API tokens by slug."""
    given = {"app_env": "testing", "database_url": world.settings["DATABASE_URL"]}
    app = create_app(given)
    app.instance_path = str(folder)
    tokens = {}
    with app.app_context():
        for number in range(count):
            email, slug = f"person{number}@quiet.test", f"quiet-{number}"
            user = User(email=email, email_norm=email, name="Quiet", password_hash="")
            organisation = Organisation(slug=slug, name=slug)
            db.session.add_all([user, organisation])
            db.session.flush()
            role = {"tenant_id": organisation.id, "user_id": user.id, "role": "owner"}
            db.session.add(Membership(**role))
            db.session.commit()
            fill(organisation, user)
            tokens[slug] = token_for(user)
    close_connections(app)
    return tokens


def token_for(user: User) -> str:
    """An API token of somebody's, for their tenant."""
    membership = user.memberships[0]
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    db.session.add(
        ApiToken(
            tenant_id=membership.tenant_id,
            user_id=user.id,
            name="Benchmark",
            prefix=token[:8],
            token_hash=hash_of(token),
        )
    )
    db.session.commit()
    return token
