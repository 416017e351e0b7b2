"""Development only: `flask dev`, demo data, an embedded PostgreSQL, the mailbox."""

from flask import Flask


def init_app(app: Flask) -> None:
    pass
