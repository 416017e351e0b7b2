"""`flask routes`: every route with its methods, its address, and who may call it."""

import click
from flask import Flask, current_app
from flask.cli import routes_command, with_appcontext
from werkzeug.routing import Rule

from app.access import Access, access_of

WORDS = {"public": "anybody", "signed_in": "anybody signed in"}


def init_app(app: Flask) -> None:
    app.cli.add_command(routes)
    take_the_place_of_flasks_own()


def take_the_place_of_flasks_own() -> None:
    """Flask looks among its own commands before it looks among ours, and loads the app late."""
    context = click.get_current_context(silent=True)
    if context and context.command is routes_command:
        context.invoke = lambda *_, **__: print_routes()  # type: ignore[assignment,method-assign]


@click.command("routes")
@with_appcontext
def routes() -> None:
    """Show the routes, and who may call each."""
    print_routes()


def print_routes() -> None:
    rules = sorted(current_app.url_map.iter_rules(), key=lambda rule: (rule.rule, methods_of(rule)))
    rows = [("Address", "Methods", "Who", "Endpoint"), *map(row_of, rules)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def row_of(rule: Rule) -> tuple[str, str, str, str]:
    access = access_of(current_app, rule.endpoint)
    return rule.rule, methods_of(rule), who(access), rule.endpoint


def methods_of(rule: Rule) -> str:
    return ", ".join(sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))


def who(access: Access) -> str:
    """Who may call it, for people: the permission, and whether every member has it."""
    if not access.permission:
        return WORDS.get(access.kind, access.kind)
    permission = current_app.extensions["permissions"][access.permission]
    return f"{access.permission} ({'members' if permission.member else 'owners'})"
