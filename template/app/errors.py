"""Refusals and failures: exceptions named for the rule, and the one place that answers them."""

import traceback
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, g, jsonify, make_response, render_template, request, url_for
from sqlalchemy.exc import DataError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

log = structlog.get_logger()

# What people read in place of Werkzeug's own words, where the code didn't say why.
WORDS = {
    400: ("That can't be read", "Something in the request is missing or broken."),
    403: ("You can't do that here", "This isn't open to you."),
    404: ("Page not found", "There is nothing at this address."),
    405: ("That can't be done here", "This address knows nothing of that kind of request."),
    413: ("That's too large", "What you sent is larger than we can take."),
    429: ("Too many tries", "There were too many tries in a short time."),
    500: ("Something went wrong", "We could not finish this."),
    503: ("Not available right now", "We can't answer at the moment."),
}
HINTS = {
    400: "Go back, load the page again, and try once more.",
    403: "Ask an owner of this workspace if you think you should be able to.",
    404: "It may have been removed, or it may belong to another workspace.",
    405: "If a button brought you here, go back and load the page again.",
    413: "Try a smaller file, or fewer of them.",
    429: "Wait a moment, then try again.",
    500: "It's our fault, not yours, and it has been written down.",
    507: "Nothing that you saved before is lost. Please try again later.",
    503: "Please try again in a minute. Nothing that you saved is lost.",
}


# How SQLite and PostgreSQL put it.
FULL = ("disk is full", "no space left", "disk i/o error")
AWAY = ("connection", "unable to open", "database is locked", "timeout", "readonly database")


class Refused(Exception):
    """A rule said no. The text is for people; subclasses are named for the rule."""

    status = 409
    title = "That isn't possible"
    # Where people can do something about it: the words on the button, and the endpoint.
    link: tuple[str, str] | None = None

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class NotAllowed(Refused):
    """The person may not do this here."""

    status = 403
    title = "You can't do that here"


class Unavailable(Exception):
    """Another part of the product doesn't answer now. Decide what to do without it."""


def init_app(app: Flask) -> None:
    app.register_error_handler(Refused, refuse)
    app.register_error_handler(HTTPException, answer_http_error)
    app.register_error_handler(Unavailable, answer_unavailable)
    app.register_error_handler(DBAPIError, answer_database_error)
    app.register_error_handler(PoolTimeout, answer_away)
    app.register_error_handler(Exception, answer_unexpected)


def refuse(refusal: Refused) -> Response:
    return answer(refusal.status, refusal.title, str(refusal), refusal.hint, refusal.link)


def answer_http_error(error: HTTPException) -> Response | HTTPException:
    status = error.code or 500
    if status < 400:
        return error
    # Programs have no page to go back to.
    hint = "" if status in {400, 405} and wants_problem() else HINTS.get(status, "")
    response = answer(status, *words_of(error, status), hint)
    for name, value in error.get_headers():
        if name.lower() in {"retry-after", "allow", "www-authenticate"}:
            response.headers[name] = value
    return response


def words_of(error: HTTPException, status: int) -> tuple[str, str]:
    """A title and a message for people."""
    title, message = WORDS.get(status, (error.name, error.description or ""))
    # A limit describes itself as "5 per 1 minute": that helps attackers more than people.
    if status != 429 and error.description and error.description != type(error).description:
        message = error.description
    return title, message


def answer_unavailable(error: Unavailable) -> Response:
    log.warning("unavailable", reason=str(error))
    return answer(503, "Not available right now", str(error), HINTS[503])


def answer_database_error(error: DBAPIError) -> Response:
    """What it can't store is a 400, a full disk a 507, a database that's away a 503."""
    if isinstance(error, DataError):
        return answer(400, "Bad request", "There is something in it that we can't store.")
    if says(error, FULL):
        log.error("disk full", reason=str(error.orig))
        return answer(507, "No room left", "This could not be saved: our disk is full.", HINTS[507])
    if error.connection_invalidated or says(error, AWAY):
        log.error("database away", reason=str(error.orig))
        return answer_away(error)
    return answer_unexpected(error)


def answer_away(_error: Exception) -> Response:
    return answer(503, "Not available right now", "Our database doesn't answer.", HINTS[503])


def says(error: DBAPIError, words: Iterable[str]) -> bool:
    return any(word in str(error.orig).lower() for word in words)


def answer_unexpected(error: Exception) -> Response:
    log.error("unexpected", error=repr(error), traceback=traceback.format_exc())
    return answer(500, "Something went wrong", "We could not finish this.", HINTS[500])


def answer(
    status: int, title: str, message: str, hint: str = "", link: tuple[str, str] | None = None
) -> Response:
    """A page for people; for the API a problem document (RFC 9457)."""
    make: Callable[..., Any] = problem if wants_problem() else page
    more = {"link": {"title": link[0], "href": url_for(link[1])}} if link else {}
    response = make_response(make(status, title, message, hint, **more))
    response.status_code = status
    return response


def wants_problem() -> bool:
    accepts = request.accept_mimetypes
    return request.path.startswith("/api/") or (
        accepts.best_match(["text/html", "application/json"]) == "application/json"
        and accepts["application/json"] > accepts["text/html"]
    )


def problem(status: int, title: str, message: str, hint: str = "", **more: Any) -> Response:
    response = jsonify(
        type="about:blank",
        title=title or HTTPStatus(status).phrase,
        status=status,
        detail=" ".join(part for part in (message, hint) if part),
        request_id=g.get("request_id", ""),
        **more,
    )
    response.status_code = status
    response.mimetype = "application/problem+json"
    return response


def page(status: int, title: str, message: str, hint: str, **more: Any) -> str:
    return render_template(
        "errors/error.html",
        status=status,
        title=title,
        message=message,
        hint=hint,
        request_id=g.get("request_id", ""),
        **more,
    )
