"""What the commands in this folder have in common: a parser with a command for each thing to do.

Only the standard library: they run where the application can't, and where nothing is installed.
"""

import argparse
from collections.abc import Callable

Command = Callable[[str, str, object], argparse.ArgumentParser]


def parser_of(program: str, text: str | None) -> tuple[argparse.ArgumentParser, Command]:
    """A parser whose help is that text, and how to add a command: its name, what it's for, `do`."""
    first, _, more = (text or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog=program,
        description=first,
        epilog=more,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, what: str, do: object) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
        made.set_defaults(do=do)
        return made

    return parser, command
