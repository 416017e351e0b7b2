"""The guard of a service: what another one answers for is refused here, and says by whom."""

from typing import Any

import structlog
from flask import Flask, Response, current_app, request

from app import errors, logs
from app.db import PACKAGES, db
from app.doors import owner_of

log = structlog.get_logger()


class NotServedHere(RuntimeError):
    """Code reached for the tables of a package that another process serves."""


def init_app(app: Flask) -> None:
    if app.config["SETTINGS"].serves == "all":
        return
    # Right after the request has its id: no session is opened for what isn't ours.
    first = app.before_request_funcs[None]
    first.insert(first.index(logs.begin) + 1, refuse_what_others_serve)
    with app.app_context():
        refuse_tables_of_others(app)


def refuse_what_others_serve() -> Response | None:
    """Answer 421 for a route of another service: the gateway sent it to the wrong one."""
    owner = owner_of_request()
    if owner in current_app.extensions["serves"]:
        return None
    log.warning("misdirected", owner=owner)
    here = current_app.config["SETTINGS"].service
    message = f"This process serves {here}; {request.path} is answered by {owner}."
    return errors.problem(421, "Sent to the wrong service", message)


def owner_of_request() -> str:
    """Whose route was asked for; what there is no route for is everybody's 404."""
    view: Any = current_app.view_functions.get(request.endpoint or "")
    return owner_of(getattr(view, "__module__", "")) if view else "shared"


def refuse_tables_of_others(app: Flask) -> None:
    """Let no statement reach the tables of a package that isn't served here."""
    engines: Any = db.engines
    for package, bind_key in PACKAGES.items():
        if package not in app.extensions["serves"]:
            engines[bind_key] = Absent(package)


class Absent:
    """Stands where the engine of another service's database would be."""

    def __init__(self, package: str) -> None:
        self.package = package

    def __getattr__(self, _name: str) -> Any:
        raise NotServedHere(
            f"{self.package}'s tables aren't in this process: ask at its front door, "
            f"app/{self.package}/calls.py, with a function under @door."
        )
