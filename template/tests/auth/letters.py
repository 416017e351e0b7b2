"""The letters that arrive in tests, and the links in them."""

import re
from email import message_from_bytes, policy
from pathlib import Path

from app import queue


def letters(app):
    """Every e-mail that was sent so far, once the worker has done its work."""
    while queue.run_pending(app):
        pass
    files = sorted((Path(app.instance_path) / "mail").glob("*.eml"))
    return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]


def letters_to(app, address):
    return [letter for letter in letters(app) if letter["To"] == address]


def text_of(letter):
    return letter.get_body(("plain",)).get_content()


def link_to(app, address):
    """The path of the link in the latest e-mail to an address."""
    return re.search(r"http://localhost:5000(/\S+)", text_of(letters_to(app, address)[-1]))[1]
