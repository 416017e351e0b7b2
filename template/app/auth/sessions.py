"""Sessions: who is signed in at a browser. They last 14 days, or until the stamp changes."""

from time import time

from flask import current_app, session
from flask_login import login_user, logout_user

from app.auth import identity, throttles
from app.auth.models import User


def start(user: User) -> None:
    """Sign a person in, in a session that keeps nothing of the one before (session fixation)."""
    session.clear()
    session.permanent = True
    session["ends_at"] = int(time()) + int(current_app.permanent_session_lifetime.total_seconds())
    login_user(identity.of(user))
    throttles.know_this_device(user)


def end() -> None:
    """Sign out at this browser."""
    logout_user()
    session.clear()
