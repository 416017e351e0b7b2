"""Rate limits: how often one address may try what costs us, or guards a door.

Without REDIS_URL each process counts for itself, so the real limit is this times the workers.
"""

from ipaddress import IPv6Address, IPv6Network, ip_address

from flask import Flask
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address


def address() -> str:
    """Where a request comes from, as it's counted."""
    return counted_as(get_remote_address())


def counted_as(text: str) -> str:
    """How an address is counted. In IPv6 that's the /64: one household has all of it."""
    try:
        parsed = ip_address(text)
    except ValueError:
        return text
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)  # A server that listens on [::] sees IPv4 like this.
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((parsed, 64), strict=False))
    return text


limiter = Limiter(address, headers_enabled=True, strategy="moving-window")


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
