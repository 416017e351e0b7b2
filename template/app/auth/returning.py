"""Where to go after the log-in: back to a page of ours, and never to anybody else's."""

import re
from urllib.parse import urlsplit

from flask import current_app, flash, redirect, request
from flask.typing import ResponseReturnValue

from app.access import is_api
from app.auth import tenants
from app.auth.models import User
from app.errors import problem
from app.tenancy import root_url, tenant_url

# Browsers read "//" and "/\" as the start of another host, and skip control characters.
PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")
LABEL = r"[a-z0-9-]+"


def is_ours(target: str) -> bool:
    """Whether a redirect there stays with us."""
    return bool(PATH.fullmatch(target)) or is_in_a_tenant_domain(target)


def is_in_a_tenant_domain(target: str) -> bool:
    """With tenants on subdomains, the way back to one needs its host."""
    if not current_app.config["SETTINGS"].tenant_domain:
        return False
    start = re.escape(tenant_url("SLUG")).replace("SLUG", LABEL)
    return bool(re.fullmatch(f"{start}(?![/\\\\])[!-\\[\\]-~]*", target))


def after_log_in(user: User, target: str = "") -> str:
    """The page that was asked for before the log-in, or the person's only workspace, or all."""
    if target and is_ours(target):
        return target
    mine = tenants.of(user.id)
    return tenant_url(mine[0].slug) if len(mine) == 1 else root_url("auth.tenants")


def ask_to_log_in() -> ResponseReturnValue:
    """Answer somebody who isn't signed in: with the log-in, which leads back here."""
    if is_api():
        response = problem(401, "Who are you?", "Send an API token of this workspace.")
        response.headers["WWW-Authenticate"] = "Bearer"
        return response
    way_back = here() if request.method == "GET" else None
    return redirect(root_url("auth.login", next=way_back))


def here() -> str:
    """The address of this request, as a way back to it."""
    parts = urlsplit(request.url)
    start = f"{parts.scheme}://{parts.netloc}"
    return request.url if is_in_a_tenant_domain(request.url) else request.url[len(start) :]


def choose_tenant() -> ResponseReturnValue:
    """Answer somebody who is signed in, but in no workspace, where one is needed."""
    if is_api():
        return problem(404, "Which workspace?", "Name it in the address: /t/<workspace>/api/...")
    flash("Choose a workspace first.", "info")
    return redirect(root_url("auth.tenants"))
