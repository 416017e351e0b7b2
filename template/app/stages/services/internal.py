"""Answering the neighbours: every door of a package has a route, made from its signature."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import structlog
from flask import Blueprint, Flask, Response, request
from pydantic import ValidationError

from app.access import public
from app.doors import DOORS, Door, serves
from app.errors import problem
from app.stages.services import deadline, proof, travel
from app.stages.services.client import short
from app.stages.services.observe import traces

log = structlog.get_logger()


def init_app(app: Flask) -> None:
    app.register_blueprint(made_of(DOORS.values()))


def made_of(doors: Any) -> Blueprint:
    """The routes for some doors."""
    bp = Blueprint("internal", __name__)
    for door in doors:
        bp.post(travel.path_of(door), endpoint=door.name.replace(".", "_"))(view_of(door))
    return bp


def only_services(view: Callable[..., Any]) -> Callable[..., Any]:
    """Let neighbours call a view with a signed question; others get a 401.

    The tenant being served, and the person who acts, are those of the token.
    """

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        claims = proof.check()
        traces.answer(claims.get("trace", ""))
        if not deadline.begin():
            return problem(504, "Too late", "Whoever asked doesn't wait any longer.")
        proof.serve_who_was_signed(claims)
        return view(*args, **kwargs)

    guarded.signed_by_sender = True  # type: ignore[attr-defined]  # It needs no CSRF token.
    return public(guarded)


def view_of(door: Door) -> Callable[..., Any]:
    """The view that answers for a door."""

    @only_services
    def answer() -> Response:
        if not serves(door.package):
            return problem(421, "Sent to the wrong service", f"{door.package} isn't served here.")
        try:
            return Response(travel.answered(door, request.get_data()), mimetype="application/json")
        except ValidationError as error:
            log.error("question not understood", door=door.name, reason=short(error))
            return problem(422, "This isn't the question", f"{door.name}: {short(error)}")

    return answer
