"""What the layer in front can't know: which credential opened which workspace, on which plan.

After each answer that somebody got as a member of the workspace in the URL, their credential is
known there for two minutes.
"""

from flask import Flask, Response, current_app, request

from app.auth import current_user, rode_along
from app.stages.hardened.throttle.layer import Throttle, digest_of
from app.tenancy import slug_in_url, tenant_or_none


def init_app(app: Flask) -> None:
    app.after_request(note)


def note(response: Response) -> Response:
    """Remember a credential that was good."""
    slug, tenant = slug_in_url(), tenant_or_none()
    if slug and tenant and tenant.slug == slug and current_user.is_authenticated:
        throttle: Throttle = current_app.extensions["throttle"]
        throttle.known.note(digest_of(request.environ, slug), rode_along("plan"))
    return response
