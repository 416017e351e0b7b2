"""What people do at a browser, in few words."""

from app.auth.models import User
from app.db import db
from tests.world import PASSWORD


def log_in(browser, email="ada@acme.test", password=PASSWORD, **kwargs):
    return browser.post("/login", data={"email": email, "password": password}, **kwargs)


def is_signed_in(browser):
    return browser.get("/account").status_code == 200


def row_of(email):
    """A person's row; call it in an application context."""
    db.session.expire_all()
    return User.with_email(email)


def has_account(app, email):
    with app.app_context():
        return User.with_email(email) is not None
