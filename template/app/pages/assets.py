"""Static files: one address for all tenants, with a hash in it, so that browsers may keep them."""

import hashlib
from functools import lru_cache
from pathlib import Path

from flask import Blueprint, Flask, Response, send_from_directory

from app.access import public
from app.tenancy import root_url

FOLDER = Path(__file__).with_name("static")
YEAR = 365 * 24 * 3600

bp = Blueprint("assets", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)
    if app.config["SETTINGS"].in_production:
        app.jinja_env.globals["asset"] = lru_cache(asset)
    else:
        app.jinja_env.globals["asset"] = asset


def asset(name: str) -> str:
    """The address of a static file, without the tenant."""
    digest = hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()[:12]
    return root_url("assets.file", name=name, v=digest)


@bp.get("/static/<path:name>")
@public
def file(name: str) -> Response:
    return send_from_directory(FOLDER, name, max_age=YEAR)
