"""Cross-site request forgery: every form carries a token; requests with an API token need none."""

from flask import Flask, current_app, request
from flask_wtf.csrf import CSRFProtect

from app.access import is_api

csrf = CSRFProtect()


def init_app(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = not app.testing
    csrf.init_app(app)
    app.before_request(protect)


def protect() -> None:
    """A browser never sends an Authorization header by itself, so a token needs no second one."""
    if current_app.config["WTF_CSRF_ENABLED"] and not has_api_token() and not is_exempt():
        csrf.protect()


def has_api_token() -> bool:
    return is_api() and request.headers.get("Authorization", "").lower().startswith("bearer ")


def is_exempt() -> bool:
    """Whether the view proves its sender in another way, as a signed webhook does."""
    view = current_app.view_functions.get(request.endpoint or "")
    return bool(getattr(view, "signed_by_sender", False))
