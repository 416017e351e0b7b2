"""Walls in the database: PostgreSQL itself keeps each tenant's rows apart.

The tables' policies compare one setting with `tenant_id`; the setting is made by the message that
begins a transaction, and ends with it. So what the ORM can't narrow (raw SQL, a bulk write, a
forgotten filter) meets a second wall that knows nothing of the first.
"""

from flask import Flask

from app.stages.hardened.walls import command, policies, start, transactions


def init_app(app: Flask) -> None:
    app.extensions["walls"] = True
    for part in (policies, transactions, start):
        part.init_app(app)
    app.cli.add_command(command.walls)
