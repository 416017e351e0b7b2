"""Encrypted columns: every value says which key it was written with, so that keys can rotate."""

import base64
import hashlib
from typing import Any

import click
from cryptography.fernet import Fernet, InvalidToken
from flask import Flask, current_app
from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator

from app.settings import DEVELOPMENT_KEY


class Undecryptable(ValueError):
    """A stored value can't be read with any key that this process has."""


class EncryptedText(TypeDecorator[str]):
    """Text that is stored as `v1:<key id>:<Fernet token>`. It can't be searched or sorted."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else encrypt(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else decrypt(value)


def init_app(app: Flask) -> None:
    """Read the keys, newest first; development gets one that everybody knows."""
    keys = app.config["SETTINGS"].encryption_keys or [development_key()]
    app.extensions["encryption_keys"] = {key_id(key): Fernet(key) for key in keys}
    app.cli.add_command(print_new_key)


def encrypt(value: str) -> str:
    name, key = next(iter(keyring().items()))
    return f"v1:{name}:{key.encrypt(value.encode()).decode()}"


def decrypt(value: str) -> str:
    _version, name, token = value.split(":", 2)
    try:
        return keyring()[name].decrypt(token.encode()).decode()
    except (KeyError, InvalidToken):
        raise Undecryptable(f"No key {name} in ENCRYPTION_KEYS reads this value.") from None


def keyring() -> dict[str, Fernet]:
    keys: dict[str, Fernet] = current_app.extensions["encryption_keys"]
    return keys


def key_id(key: str) -> str:
    """A short public name of a key, so that a value can say which one reads it."""
    return hashlib.sha256(key.encode()).hexdigest()[:8]


def development_key() -> str:
    digest = hashlib.sha256(DEVELOPMENT_KEY.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode()


@click.command("encryption-key")
def print_new_key(**_: Any) -> None:
    """Print a new key for ENCRYPTION_KEYS; put it first in the list."""
    click.echo(Fernet.generate_key().decode())
