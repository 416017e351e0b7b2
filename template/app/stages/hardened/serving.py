"""What gunicorn does before its first worker starts, and what each worker does first."""

import sys

import click
from flask import Flask

from app import health
from app.stages.services import serving

BOOT_ERROR = 3  # gunicorn stops for it, where it starts another worker after any other.


def prepare() -> None:
    serving.prepare()


def begin(app: Flask) -> None:
    """Refuse to serve behind open walls, before anything is served."""
    try:
        health.refuse_to_start(app)
    except SystemExit as refusal:
        click.echo(str(refusal), err=True)
        sys.exit(BOOT_ERROR)
    serving.begin(app)
