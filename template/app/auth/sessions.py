"""Sessions: who is signed in at a browser. They last 14 days, or until the stamp changes.

A later stage may look on: it's told of each that starts or ends, and may ask for more than a
password before one starts.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import time

from flask import Flask, current_app, session
from flask.typing import ResponseReturnValue
from flask_login import login_user, logout_user

from app.auth import identity, throttles
from app.auth.identity import Identity
from app.auth.models import User


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a later stage does as sessions come and go."""

    # Each is given the person and where they were going; an answer stands in for the session.
    before: list[Callable[[User, str], ResponseReturnValue | None]] = field(default_factory=list)
    # Each is given who signs in, and may name the session.
    starting: list[Callable[[Identity], Identity]] = field(default_factory=list)
    ending: list[Callable[[], None]] = field(default_factory=list)


def init_app(app: Flask) -> None:
    app.extensions["sessions"] = Hooks()


def hooks() -> Hooks:
    found: Hooks = current_app.extensions["sessions"]
    return found


def more_is_asked(user: User, target: str = "") -> ResponseReturnValue | None:
    """What is asked before somebody is in who has shown a password or a link; None if nothing."""
    for ask in hooks().before:
        if answer := ask(user, target):
            return answer
    return None


def start(user: User) -> None:
    """Sign a person in, in a session that keeps nothing of the one before (session fixation)."""
    who = identity.of(user)
    for name in hooks().starting:
        who = name(who)
    session.clear()
    session.permanent = True
    session["ends_at"] = int(time()) + int(current_app.permanent_session_lifetime.total_seconds())
    login_user(who)
    throttles.know_this_device(user)


def end() -> None:
    """Sign out at this browser."""
    for forget in hooks().ending:
        forget()
    logout_user()
    session.clear()
