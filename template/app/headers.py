"""Security headers for every answer (OWASP Secure Headers Project)."""

from flask import Flask, Response, request

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
    app.after_request(add_headers)


def add_headers(response: Response) -> Response:
    given = {name.lower() for name, _ in response.headers}
    response.headers.extend({n: value for n, value in HEADERS.items() if n.lower() not in given})
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if response.mimetype == "text/html" or "set-cookie" in given:
        response.headers.setdefault("Cache-Control", "no-store")
    return response
