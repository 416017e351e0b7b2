"""The tenant in the URL: `/t/<slug>/...`, or `<slug>.<domain>` when a tenant domain is set.

The slug moves into SCRIPT_NAME, so routes and `url_for` never mention the tenant, and a gateway
can route a tenant by its URL alone, without opening a session.
"""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, current_app, request

PREFIX = "/t/"
SLUG = "app.tenant_slug"
OUTSIDE = "app.script_name_outside"


class TenantInUrl:
    """WSGI middleware that takes the tenant's slug out of the URL."""

    def __init__(
        self, app: Callable[..., Iterable[bytes]], domain: str = "", common_host: str = ""
    ) -> None:
        self.app = app
        self.domain = domain
        self.common_host = common_host

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ[OUTSIDE] = environ.get("SCRIPT_NAME", "")
        if self.domain:
            self._from_host(environ)
        else:
            self._from_path(environ)
        return self.app(environ, start_response)

    def _from_host(self, environ: dict[str, Any]) -> None:
        host = environ.get("HTTP_HOST", "").partition(":")[0].lower()
        slug, _, rest = host.partition(".")
        if rest == self.domain and slug and host != self.common_host:
            environ[SLUG] = slug

    def _from_path(self, environ: dict[str, Any]) -> None:
        path = environ.get("PATH_INFO", "")
        if not path.startswith(PREFIX):
            return
        slug, slash, rest = path[len(PREFIX) :].partition("/")
        if slug:
            environ[SLUG] = slug
            environ["SCRIPT_NAME"] += f"{PREFIX}{slug}"
            environ["PATH_INFO"] = slash + rest or "/"


def init_app(app: Flask) -> None:
    settings = app.config["SETTINGS"]
    app.wsgi_app = TenantInUrl(  # type: ignore[method-assign]
        app.wsgi_app, settings.tenant_domain, urlsplit(settings.public_url).hostname or ""
    )


def slug_in_url() -> str | None:
    """The slug that the URL names, whether or not such a tenant exists."""
    slug: str | None = request.environ.get(SLUG)
    return slug


def tenant_url(slug: str, endpoint: str = "pages.home", **values: Any) -> str:
    """The URL of an endpoint inside a given tenant, from wherever we are."""
    path = path_of(endpoint, values)
    settings = current_app.config["SETTINGS"]
    if settings.tenant_domain:
        scheme, _, authority = settings.public_url.partition("://")
        port = authority.partition(":")[2]
        return f"{scheme}://{slug}.{settings.tenant_domain}{':' + port if port else ''}{path}"
    return f"{outside()}{PREFIX}{slug}{path}"


def root_url(endpoint: str, *, external: bool = False, **values: Any) -> str:
    """The URL of an endpoint outside any tenant: log-in, the account, the list of tenants."""
    settings = current_app.config["SETTINGS"]
    absolute = external or bool(settings.tenant_domain)
    return f"{settings.public_url if absolute else outside()}{path_of(endpoint, values)}"


def path_of(endpoint: str, values: dict[str, Any]) -> str:
    """The path of an endpoint as the routes know it, with neither host nor tenant."""
    adapter = current_app.url_map.bind("localhost")
    current_app.inject_url_defaults(endpoint, values)
    return adapter.build(endpoint, values)


def outside() -> str:
    return str(request.environ.get(OUTSIDE, "")) if request else ""
