"""What every template may use without asking for it."""

from typing import Any

from flask import Flask, g
from flask_login import current_user
from flask_wtf.csrf import generate_csrf

from app.pages import charts
from app.pages.nav import nav
from app.tenancy import root_url, tenant_or_none, tenant_url


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(
        product=app.config["PRODUCT"],
        dev=not app.config["SETTINGS"].in_production,
        charts=charts,
        nav=nav,
        root_url=root_url,
        tenant_url=tenant_url,
        csrf_token=generate_csrf,
        # Looked up when a page uses it, so error pages can be made while the database is away.
        current_user=current_user,
    )
    app.context_processor(of_this_request)


def of_this_request() -> dict[str, Any]:
    return {"tenant": tenant_or_none(), "request_id": g.get("request_id", "")}
