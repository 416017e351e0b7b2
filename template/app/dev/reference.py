"""`flask settings`: what may be set, what is set, and the two files that are made from it."""

from collections.abc import Iterator
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from pydantic.fields import FieldInfo
from sqlalchemy import make_url

from app.settings import DEVELOPMENT_KEY, REQUIRED, Settings

SECRET = ("key", "keys", "fallbacks", "secret")
ABOUT = """\
# Settings

The environment decides all of it, and a file `.env` beside `pyproject.toml` where a variable is
not set there. A bad value, or one that production can't do without, is refused at start with its
name. This page and `.env.example` are made by `uv run flask settings`.

| setting | default | what it does |
|---|---|---|
"""
ENV = """\
# Copy this file to .env and take away the # where you set something. In production set them in
# the environment. Made by: uv run flask settings --env > .env.example
"""


def init_app(app: Flask) -> None:
    app.cli.add_command(show)


@click.command("settings")
@click.option("--markdown", "form", flag_value="markdown", help="As docs/settings.md.")
@click.option("--env", "form", flag_value="env", help="As .env.example.")
@with_appcontext
def show(form: str | None) -> None:
    """Show the settings: what each is, and what it is now."""
    made = {"markdown": markdown, "env": env_file}.get(form or "", now)
    click.echo(made(), nl=False)


def markdown() -> str:
    rows = [
        f"| `{name}` | {default_of(field) and f'`{default_of(field)}`'} | {told(name, field)} |"
        for name, field in fields()
    ]
    return ABOUT + "\n".join(rows) + "\n"


def env_file() -> str:
    parts = [f"# {told(name, field)}\n# {name}={default_of(field)}\n" for name, field in fields()]
    return "\n".join([ENV, *parts])


def now() -> str:
    """What this process uses, without what is secret."""
    settings = current_app.config["SETTINGS"]
    lines = []
    for name, _ in fields():
        mark = "*" if name.lower() in settings.model_fields_set else " "
        lines.append(f"{mark} {name:24} {shown(name, getattr(settings, name.lower()))}\n")
    return "".join([*lines, "\n* is set; the others are the defaults.\n"])


def fields() -> Iterator[tuple[str, FieldInfo]]:
    for name, field in Settings.model_fields.items():
        yield name.upper(), field


def told(name: str, field: FieldInfo) -> str:
    text = field.description or ""
    return f"{text} Required in production." if name.lower() in REQUIRED else text


def default_of(field: FieldInfo) -> str:
    """The default as one would write it; the development key is nothing to copy."""
    return "" if field.default in (DEVELOPMENT_KEY, []) else str(field.default)


def shown(name: str, value: Any) -> str:
    if not value:
        return ""
    if name.lower().endswith(SECRET):
        return "(hidden)"
    if name.endswith("_URL") and "@" in str(value):
        return make_url(value).render_as_string(hide_password=True)
    return str(value)
