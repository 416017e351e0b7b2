"""The command line: every command says what it does, and the answers are of use."""

from collections.abc import Iterator

import click
import pytest
from flask.cli import FlaskGroup

from app import create_app

OF_OTHERS = {"limiter"}  # Flask-Limiter brings it.


def commands(group: click.Group, *above: str) -> Iterator[tuple[list[str], click.Command]]:
    """Every command, those of groups that are loaded when they are called included."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if name in OF_OTHERS or command is None:
            continue
        yield [*above, name], command
        if isinstance(command, click.Group):
            yield from commands(command, *above, name)


OURS = {
    " ".join(path): command for path, command in commands(create_app({"app_env": "testing"}).cli)
}


def test_flask_lists_every_command(app):
    answer = app.test_cli_runner().invoke(FlaskGroup(create_app=lambda: app), ["--help"])

    assert answer.exit_code == 0
    for name in {name.split()[0] for name in OURS}:
        assert f"\n  {name} " in answer.output


@pytest.mark.parametrize("name", OURS)
def test_every_command_and_option_says_what_it_does(app, name):
    answer = app.test_cli_runner().invoke(args=[*name.split(), "--help"])

    assert answer.exit_code == 0
    assert OURS[name].help
    for option in OURS[name].params:
        if isinstance(option, click.Option) and not option.hidden:
            assert option.help, option.name
