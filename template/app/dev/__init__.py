"""Development only: `flask dev`, `flask stage`, demo data, an embedded PostgreSQL, the mailbox."""

from flask import Flask

from app.dev import command, mailbox, reference, scaffold, seed, stage


def init_app(app: Flask) -> None:
    command.init_app(app)
    seed.init_app(app)
    reference.init_app(app)
    mailbox.init_app(app)
    scaffold.init_app(app)
    stage.init_app(app)
