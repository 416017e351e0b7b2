"""The stage: what the stages above the first one add is found by itself, in `app/stages/`.

A stage is a package there with an `init_app`, and if it has settings of its own a module
`settings` with a class `Settings`. Nothing imports it by name, so no file of an earlier stage
changes when a project climbs.
"""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules

from flask import Flask

# They build on each other.
ORDER = ("services", "hardened", "serverless")
WHERE = "app.stages"


def names() -> list[str]:
    """The stages above the first that are here, in their order."""
    here = {module.name for module in iter_modules([str(Path(__file__).with_name("stages"))])}
    return [name for name in ORDER if name in here]


def init_app(app: Flask) -> None:
    for name in names():
        import_module(f"{WHERE}.{name}").init_app(app)


def module_of(subject: str) -> str | None:
    """The module for a subject, such as `settings`, of the highest stage that has one."""
    found = [f"{WHERE}.{name}.{subject}" for name in reversed(names())]
    return next((module for module in found if find_spec(module)), None)
