"""Development only: `flask dev`, demo data, an embedded PostgreSQL, the mailbox."""

from flask import Flask

from app.dev import seed


def init_app(app: Flask) -> None:
    seed.init_app(app)
