"""`flask stage`: where the project is, the next stage, the newest version, what drifted."""

import subprocess
import sys
from pathlib import Path

import click
from flask import Flask

PROJECT = Path(__file__).parents[2]


def init_app(app: Flask) -> None:
    app.cli.add_command(stage)


@click.command("stage", add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def stage(arguments: tuple[str, ...]) -> None:
    """Show the stage, climb to the next one, update, look for drift (flask stage --help)."""
    # A process of its own: it replaces the files that this one is made of.
    program = [sys.executable, "-m", "scripts.stage", *(arguments or ["--help"])]
    sys.exit(subprocess.run(program, cwd=PROJECT, check=False).returncode)
