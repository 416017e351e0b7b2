"""The features: the team's own part of the product, one folder each, found by themselves.

A feature is a package with `bp` (its pages) and, as it likes, `api` (its JSON API), `PERMISSIONS`,
`NAV`, and modules called `models`, `jobs`, `events` and `cli`. Folders that begin with an
underscore are left alone.
"""

from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from types import ModuleType

from flask import Blueprint, Flask

from app.access import declare
from app.pages.nav import NavEntry, add_entry


class BadFeature(SystemExit):
    """A feature's folder lacks something; the message says what."""


SPOKEN_FOR = {"migrations"}
MODULES = ("models", "views", "api", "jobs", "events", "cli")


def init_app(app: Flask) -> None:
    for name in names():
        register(app, name, load(name))


def names() -> list[str]:
    """The features that there are."""
    found = (module.name for module in iter_modules(__path__) if module.ispkg)
    return sorted(name for name in found if not name.startswith("_") and name not in SPOKEN_FOR)


def load(name: str) -> ModuleType:
    """Import a feature and those of its modules that have something to announce."""
    feature = import_module(f"{__name__}.{name}")
    for module in MODULES:
        if find_spec(f"{__name__}.{name}.{module}"):
            import_module(f"{__name__}.{name}.{module}")
    return feature


def register(app: Flask, name: str, feature: ModuleType) -> None:
    bp = getattr(feature, "bp", None)
    if not isinstance(bp, Blueprint):
        raise BadFeature(f"app/features/{name}/__init__.py needs a blueprint called `bp`.")
    if bp.name in app.blueprints:
        raise BadFeature(f"app/features/{name}: another blueprint is called {bp.name!r} already.")
    declare(app, getattr(feature, "PERMISSIONS", {}))
    app.register_blueprint(bp, url_prefix=bp.url_prefix or f"/{name}")
    api = getattr(feature, "api", None)
    if isinstance(api, Blueprint):
        app.register_blueprint(api, url_prefix=api.url_prefix or f"/api/v1/{name}")
    nav = getattr(feature, "NAV", None)
    if isinstance(nav, NavEntry):
        add_entry(app, nav)
