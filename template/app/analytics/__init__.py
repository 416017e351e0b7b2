"""Analytics owns what happened: events, usage and dashboards."""

from flask import Flask


def init_app(app: Flask) -> None:
    pass
