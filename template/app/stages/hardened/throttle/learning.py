"""What the layer in front can't know: which credential opened which workspace, on which plan.

After each answer that somebody got as a member of the workspace in the URL, their credential is
known there for two minutes. A plan that changes counts within seconds.
"""

from flask import Flask, Response, current_app, request

from app import billing
from app.auth import current_user
from app.errors import Unavailable
from app.stages.hardened.throttle.layer import Throttle, digest_of
from app.tenancy import slug_in_url, tenant_or_none


def init_app(app: Flask) -> None:
    app.after_request(note)


def note(response: Response) -> Response:
    """Remember a credential that was good, and on which plan: every few seconds is enough."""
    slug = slug_in_url()
    if not slug:
        return response
    throttle: Throttle = current_app.extensions["throttle"]
    digest = digest_of(request.environ, slug)
    if not throttle.known.lately(digest):
        tenant = tenant_or_none()
        if tenant and tenant.slug == slug and current_user.is_authenticated:
            throttle.known.note(digest, plan_for(throttle, digest))
    return response


def plan_for(throttle: Throttle, digest: bytes) -> str | None:
    """The current tenant's plan, if plans matter; while billing is away, the one known before."""
    if not throttle.allowances.plans:
        return None
    try:
        return billing.plan_of().name
    except Unavailable:
        return throttle.known.plan_of(digest)[1]
