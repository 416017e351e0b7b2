"""The navigation: each package and feature brings its own entry."""

from dataclasses import dataclass, replace

from flask import Flask, current_app, request
from flask_login import current_user


@dataclass(frozen=True, slots=True)
class NavEntry:
    """A line in the navigation; only people who may go there see it. Low orders come first.

    It is marked on every page of its blueprint. Where a blueprint has several entries, each is
    marked on its own page and on those that it `covers`, which are names of endpoints.
    """

    label: str
    endpoint: str
    permission: str
    icon: str = "folder"
    order: int = 10
    covers: tuple[str, ...] = ()
    active: bool = False

    @property
    def blueprint(self) -> str:
        return self.endpoint.rpartition(".")[0]


def add_entry(app: Flask, entry: NavEntry) -> None:
    """Add an entry to the navigation."""
    app.extensions["nav"].append(entry)


def cover(app: Flask, endpoint: str, *more: str) -> None:
    """Let the entry of an endpoint be marked on further pages, which a later stage brings."""
    entries: list[NavEntry] = app.extensions["nav"]
    app.extensions["nav"] = [
        replace(entry, covers=entry.covers + more) if entry.endpoint == endpoint else entry
        for entry in entries
    ]


def nav() -> list[NavEntry]:
    """The entries that the current person may follow, with the current one marked."""
    entries = sorted(current_app.extensions["nav"], key=lambda entry: (entry.order, entry.label))
    return [
        replace(entry, active=is_active(entry))
        for entry in entries
        if current_user.can(entry.permission)
    ]


def is_active(entry: NavEntry) -> bool:
    """Whether the current page belongs to the entry."""
    siblings = [e for e in current_app.extensions["nav"] if e.blueprint == entry.blueprint]
    if len(siblings) > 1:
        return request.endpoint in {entry.endpoint, *entry.covers}
    return request.blueprint == entry.blueprint
