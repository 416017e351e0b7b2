"""Rate limits: how often one address may try what costs us, or guards a door.

Without REDIS_URL each process counts for itself, so the real limit is this times the workers.
"""

from flask import Flask
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

limiter = Limiter(get_remote_address, headers_enabled=True)


def init_app(app: Flask) -> None:
    settings = app.config["SETTINGS"]
    app.config.setdefault("RATELIMIT_STORAGE_URI", settings.redis_url or "memory://")
    # A store that's away must not lock everybody out.
    app.config.setdefault("RATELIMIT_IN_MEMORY_FALLBACK_ENABLED", bool(settings.redis_url))
    limiter.init_app(app)
    look_at_limited_views_only(app)


def look_at_limited_views_only(app: Flask) -> None:
    """Spare every other view a tenth of its time.

    What Flask-Limiter does before each request serves limits by default, and we have none. A
    limit that stands on a view is checked when the view is called.
    """
    app.before_request_funcs[None].remove(limiter._check_request_limit)
