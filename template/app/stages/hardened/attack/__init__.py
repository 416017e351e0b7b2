"""`flask attack`: tries the walls of a running system, by HTTP and with nothing else."""

from flask import Flask

from app.stages.hardened.attack.command import attack


def init_app(app: Flask) -> None:
    app.cli.add_command(attack)
