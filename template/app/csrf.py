"""Cross-site request forgery: every form carries a token; requests with an API token need none."""

import structlog
from flask import Flask, Response, current_app, make_response, render_template, request
from flask_wtf.csrf import CSRFError, CSRFProtect

from app import errors
from app.access import is_api

log = structlog.get_logger()
csrf = CSRFProtect()

TITLE = "This page was too old"
MESSAGE = "The session that it belonged to has ended, so nothing was saved."
HINT = """Open the page again and send it from there. If this comes back at once, your browser keeps
our cookies out."""
NO_TOKEN = "Send an API token, or with a session the header X-CSRFToken."  # noqa: S105
LONGEST_NAME = 100


def init_app(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = not app.testing
    # From a tenant's own host to the common one, browsers send no referrer to compare.
    app.config["WTF_CSRF_SSL_STRICT"] = not app.config["SETTINGS"].tenant_domain
    csrf.init_app(app)
    app.before_request(protect)
    app.register_error_handler(CSRFError, explain)


def protect() -> None:
    """Refuse what another site may have made the browser send."""
    if request.routing_exception or not current_app.config["WTF_CSRF_ENABLED"]:
        return  # There is nothing here to protect, and a 404 says more than a missing token.
    if not (has_api_token() or comes_from_nobody() or is_exempt()):
        csrf.protect()


def has_api_token() -> bool:
    """A browser never sends an Authorization header by itself."""
    return is_api() and request.headers.get("Authorization", "").lower().startswith("bearer ")


def comes_from_nobody() -> bool:
    """A program that forgot its API token has no session to abuse: it's asked for the token."""
    return is_api() and current_app.config["SESSION_COOKIE_NAME"] not in request.cookies


def is_exempt() -> bool:
    """Whether the view proves its sender in another way, as a signed webhook does."""
    view = current_app.view_functions.get(request.endpoint or "")
    return bool(getattr(view, "signed_by_sender", False))


def explain(error: CSRFError) -> Response:
    """Say what happened, and give back what was typed: the way back finds an empty form."""
    log.warning("form refused", reason=error.description)
    if errors.wants_problem():
        return errors.answer(400, TITLE, MESSAGE, NO_TOKEN)
    page = render_template(
        "errors/stale.html", status=400, title=TITLE, message=MESSAGE, hint=HINT, typed=typed()
    )
    return make_response(page, 400)


def typed() -> dict[str, str]:
    """What people wrote into the form, without passwords; nothing if another site sent it."""
    if request.headers.get("Origin", "").partition("://")[2] != request.host:
        return {}
    return {
        name: text
        for name, text in request.form.items()
        if text.strip() and len(name) <= LONGEST_NAME and not is_hidden(name)
    }


def is_hidden(name: str) -> bool:
    return "password" in name or name in {"csrf_token", "version"}
