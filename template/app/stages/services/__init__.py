"""The services stage: each package may be a process of its own, with a database of its own."""

from flask import Flask


def init_app(app: Flask) -> None:
    """Nothing yet."""
