"""Security headers for every answer (OWASP Secure Headers Project)."""

from functools import partial

from flask import Flask, Response, request

from app.access import is_api
from app.settings import Settings

# Browsers apply form-action to the redirect that follows a form, so the payment pages are named.
POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'; "
    "form-action 'self' https://checkout.stripe.com https://billing.stripe.com"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def init_app(app: Flask) -> None:
    headers = HEADERS | {"Content-Security-Policy": policy_of(app.config["SETTINGS"])}
    app.after_request(partial(add_headers, headers))


def policy_of(settings: Settings) -> str:
    """With tenants on subdomains, styles come from the common host, and the log-in leads away."""
    if not settings.tenant_domain:
        return POLICY
    scheme, _, authority = settings.public_url.partition("://")
    _, colon, port = authority.partition(":")
    tenants = f"{scheme}://*.{settings.tenant_domain}{colon}{port}"
    return POLICY.replace("'self'", f"'self' {settings.public_url} {tenants}")


def add_headers(headers: dict[str, str], response: Response) -> Response:
    given = {name.lower() for name, _ in response.headers}
    response.headers.extend({n: value for n, value in headers.items() if n.lower() not in given})
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if response.mimetype == "text/html" or "set-cookie" in given or is_api():
        response.headers.setdefault("Cache-Control", "no-store")
    return response
