"""Operators: who may look after tenants from outside them.

That is no role of a tenant's: an owner owns one workspace, an operator none and looks after all.
OPERATORS lists their e-mail addresses; on pages and on the API somebody is one when auth knows
them by such an address and they have confirmed it. An empty list means nobody. A command is run by
whoever has a shell where auth is served, under the name that `--operator` gives.
"""

import getpass
import socket
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import current_app, g, request
from flask_login import current_user

from app.access import Access, is_api
from app.auth import emails
from app.auth.identity import bearer_token
from app.auth.models import User
from app.errors import NotAllowed
from app.stages.services import keys

View = Callable[..., Any]
AUDIENCE = "operators"


class NotAnOperator(NotAllowed):
    """Somebody who isn't an operator asked for what operators do."""


def only(view: View) -> View:
    """Only operators may call this view. `operator_name()` says who it is."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        name = who_asks()
        if name is None:
            return current_app.login_manager.unauthorized()  # type: ignore[attr-defined]
        if not is_operator(name):
            raise NotAnOperator("Only operators of this product may do this.")
        g.operator = name
        return view(*args, **kwargs)

    guarded.access = Access("operators")  # type: ignore[attr-defined]
    return guarded


def who_asks() -> str | None:
    """The address of whoever sends this request, an operator or not."""
    return with_token() if is_api() and bearer_token(request) else signed_in()


def signed_in() -> str | None:
    """The address of whoever is signed in."""
    return current_user.email if current_user.is_authenticated else None


def with_token() -> str | None:
    """The address in an operator's token, if this service signed it and it still holds."""
    try:
        service = current_app.config["SETTINGS"].service
        claims = keys.verify(bearer_token(request), service, AUDIENCE)
    except keys.BadToken:
        return None
    return str(claims["sub"])


def is_operator(email: str) -> bool:
    """Whether this is the confirmed address of somebody in OPERATORS."""
    listed = {emails.norm(one) for one in current_app.config["SETTINGS"].operators}
    if emails.norm(email) not in listed:
        return False
    user = User.with_email(email)
    return user is not None and user.email_confirmed_at is not None


def token(email: str, seconds: int) -> str:
    """A token for the operators' API, for programs; raises `NotAnOperator`."""
    if not is_operator(email):
        raise NotAnOperator(
            f"{email} isn't an operator: the address must stand in OPERATORS, and be that of an "
            "account that has confirmed it."
        )
    return keys.sign({"sub": email}, AUDIENCE, seconds)


def operator_name() -> str:
    """Who asks for an operation: the operator signed in, or who runs the command."""
    name: str | None = g.get("operator")
    return name or at_the_shell()


def at_the_shell() -> str:
    """The person at the keyboard, as the machine knows them."""
    return f"{getpass.getuser()}@{socket.gethostname()}"
