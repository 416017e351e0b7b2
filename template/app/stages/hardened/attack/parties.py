"""The two workspaces of an attack: made for it where that's easy, or given."""

import re
import secrets
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import click

from app.stages.hardened.attack.browser import Browser

TOKEN = re.compile(r"sct_[\w-]{20,}")
LETTER = re.compile(r"/dev/mail/[0-9a-f-]{36}")
CONFIRM = re.compile(r"/confirm\?token=[\w.~-]+")
PATIENCE_SECONDS = 30


@dataclass
class Party:
    """An owner with a workspace: at a browser, and as a program."""

    slug: str
    browser: Browser
    program: Browser
    marker: str
    ids: set[str] = field(default_factory=set)

    def at(self, path: str) -> str:
        """An address in their workspace."""
        return f"/t/{self.slug}{path}"


def is_development(url: str) -> bool:
    """Whether it shows the mail that it would send, as only development does."""
    return Browser(url).ask("/dev/mail/").status == 200


def new(url: str, name: str) -> Party:
    """Sign up, as anybody would, and make a workspace. In development only: it reads the mail."""
    browser, word = Browser(url), secrets.token_hex(4)
    marker = f"zq{name}{word}"
    email, password = f"{marker}@example.com", f"attack-{secrets.token_urlsafe(12)}"
    browser.fill_in("/signup", name=f"Attack {name}", email=email, new_password=password)
    link = confirmation(url, email)
    browser.fill_in(link)
    made = browser.fill_in("/workspaces/new", name=marker)
    return seated(browser, slug_in(made.location), marker)


def given(url: str, credentials: str) -> Party:
    """Log in with what was given: `workspace:email:password`."""
    slug, _, rest = credentials.partition(":")
    email, _, password = rest.partition(":")
    browser = Browser(url)
    answer = browser.fill_in("/login", email=email, password=password)
    if answer.status >= 400 or not password:
        raise click.ClickException(
            f"{email or 'Somebody'} can't log in at {url}: give workspace:email:password, of an "
            "owner without a second factor."
        )
    return seated(browser, slug, f"zq{secrets.token_hex(6)}")


def seated(browser: Browser, slug: str, marker: str) -> Party:
    page = browser.fill_in(f"/t/{slug}/settings/tokens", name="Attack")
    token = TOKEN.search(page.text)
    if token is None:
        raise click.ClickException(
            f"No API token could be made in the workspace {slug!r} (status {page.status})."
        )
    return Party(slug, browser, Browser(browser.url, token[0]), marker)


def slug_in(location: str) -> str:
    path = urlsplit(location).path
    if not path.startswith("/t/"):
        raise click.ClickException("No workspace could be made by signing up.")
    return path.split("/")[2]


def confirmation(url: str, email: str) -> str:
    """The link in the mail that a worker sends soon."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        for letter in LETTER.findall(Browser(url).ask("/dev/mail/").text):
            text = Browser(url).ask(letter).text
            if email in text and (link := CONFIRM.search(text)):
                return link[0]
        time.sleep(0.3)
    raise click.ClickException("The mail of the sign-up didn't come: does the worker run?")
