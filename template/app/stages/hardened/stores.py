"""Where each service's pool is, for tools that reach more than the process's own database.

`FEATURES_DATABASE_URL` and `FEATURES_MIGRATIONS_DATABASE_URL` say it for the features, and so on:
as the service works there, and as the owner of its tables. A process knows its own without them,
and in development a running `flask dev` has written down all of them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import make_url

from app.errors import Refused
from app.stages.services.settings import SERVICES

NOTE = "dev.json"


class NoStore(Refused):
    """Nothing says where a service's rows are."""

    title = "A database isn't known here"


@dataclass(frozen=True, slots=True)
class Store:
    """A service's pool: as the service works with it, and as the owner of its tables does."""

    service: str
    url: str = field(repr=False)
    owner_url: str = field(repr=False)

    @property
    def packages(self) -> tuple[str, str]:
        """Whose tables it has: the service's, and those that every process keeps for itself."""
        return "shared", self.service

    @property
    def shown(self) -> str:
        """Where it is, without a password."""
        return make_url(self.url).render_as_string(hide_password=True)


def store_of(app: Flask, service: str) -> Store:
    """The pool of a service. Raises `NoStore`, which names the setting to set."""
    found = given(app, service) or own(app, service) or noted(app, service)
    if found is None:
        name = service.upper()
        raise NoStore(
            f"Nothing says where the rows of {service} are.",
            hint=f"Set {name}_DATABASE_URL and {name}_MIGRATIONS_DATABASE_URL, or start `flask "
            "dev` in this folder.",
        )
    return found


def stores(app: Flask) -> dict[str, Store]:
    """The pools of all services, by name. Raises `NoStore`."""
    return {service: store_of(app, service) for service in SERVICES}


def admin_url(app: Flask) -> str:
    """The server on which silos are made, as its administrator; empty if nothing says so."""
    url: str = app.config["SETTINGS"].silo_admin_database_url
    return url or admin_of_dev(app)


def admin_of_dev(app: Flask) -> str:
    """The PostgreSQL that comes along in development asks nobody for a password."""
    url = make_url(note_of_dev(app).get("databases", {}).get("features") or "sqlite://")
    if url.get_backend_name() != "postgresql" or url.password:
        return ""
    admin = url.set(username="postgres", database="postgres")
    return admin.render_as_string(hide_password=False)


def given(app: Flask, service: str) -> Store | None:
    """What the settings say by name."""
    settings = app.config["SETTINGS"]
    url: str = getattr(settings, f"{service}_database_url")
    owner: str = getattr(settings, f"{service}_migrations_database_url")
    return Store(service, url, owner or url) if url else None


def own(app: Flask, service: str) -> Store | None:
    """What this process works with itself."""
    settings = app.config["SETTINGS"]
    if service not in settings.served or is_left_to_dev(app):
        return None
    return Store(service, settings.database_url_of(service), settings.migrations_url_of(service))


def is_left_to_dev(app: Flask) -> bool:
    """Whether nobody said where the rows are: then they are where a running `flask dev` has them.

    `flask` alone serves everything, on a file that a system of several processes doesn't use.
    """
    settings = app.config["SETTINGS"]
    unsaid = "database_url" not in settings.model_fields_set
    return unsaid and bool(note_of_dev(app).get("databases"))


def noted(app: Flask, service: str) -> Store | None:
    """What a running `flask dev` wrote down."""
    note = note_of_dev(app)
    url = note.get("databases", {}).get(service)
    return Store(service, url, note.get("owners", {}).get(service, url)) if url else None


def note_of_dev(app: Flask) -> Mapping[str, Any]:
    """The note of a running `flask dev`; an empty one in production, and where none runs."""
    if app.config["SETTINGS"].in_production:
        return {}
    try:
        note: Mapping[str, Any] = json.loads((Path(app.instance_path) / NOTE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return note
