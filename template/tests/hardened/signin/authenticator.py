"""An authenticator app, and people who have one."""

import re
from datetime import datetime

import pyotp

from app.db import now
from tests.auth.people import log_in
from tests.world import PASSWORD

RECOVERY = re.compile(r"\b[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}\b")


class Phone:
    """What scanned the picture."""

    def __init__(self, secret: str, recovery: list[str]) -> None:
        self.secret, self.recovery = secret, recovery

    def code(self, at: datetime | None = None) -> str:
        return pyotp.TOTP(self.secret).at(at or now())


def turn_on(browser) -> Phone:
    """Turn the second factor on, at a browser that somebody is signed in at."""
    browser.post("/account/second-factor/begin", data={"password": PASSWORD})
    page = browser.get("/account/second-factor/setup").text
    secret = re.search(r'class="secret">([A-Z2-7]{32})<', page)[1]
    answer = browser.post("/account/second-factor/setup", data={"code": Phone(secret, []).code()})
    return Phone(secret, RECOVERY.findall(answer.text))


def enter(browser, code, **kwargs):
    """Log in with the password, and then with a code."""
    log_in(browser, **kwargs)
    return browser.post("/login/code", data={"code": code})
