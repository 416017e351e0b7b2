"""Panels: what a later stage adds to auth's pages: a title, a sentence, and a way on."""

from dataclasses import dataclass
from typing import Literal

from flask import Flask, current_app
from flask_login import current_user

Place = Literal["account", "settings", "log_in"]


@dataclass(frozen=True, slots=True)
class Panel:
    """A part of a page; only people with the permission, if it names one, see it."""

    title: str
    text: str
    label: str
    endpoint: str
    icon: str = "key"
    permission: str = ""


def init_app(app: Flask) -> None:
    app.extensions["panels"] = {"account": [], "settings": [], "log_in": []}
    app.jinja_env.globals["panels"] = panels


def add_panel(app: Flask, place: Place, panel: Panel) -> None:
    """Add a panel to the account, to a workspace's settings, or a link to the log-in."""
    app.extensions["panels"][place].append(panel)


def panels(place: Place) -> list[Panel]:
    """What was added to a page, as far as it's for whoever looks at it."""
    added: list[Panel] = current_app.extensions["panels"][place]
    return [one for one in added if not one.permission or current_user.can(one.permission)]
