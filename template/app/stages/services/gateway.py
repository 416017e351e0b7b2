"""The gateway: one address in front of the services, and a Caddyfile made of the URL map.

Whose view answers a route decides who gets it, with or without `/t/<slug>` in front. What is
nobody's in particular is the product's: a new feature needs no change here.
"""

import re
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path

import click
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext
from werkzeug.routing import Rule

from app import doors

PRODUCT = "features"
BEFORE_IT = ("auth", "billing", "analytics")
# Asked between services, or by whoever watches them: never from outside.
HIDDEN = ("internal", ".well-known/jwks.json", "metrics")
ANYTHING = "[^/]+"
TEMPLATE = files(__package__).joinpath("Caddyfile.txt")
WRITTEN_TO = Path("deploy/Caddyfile")

cli = AppGroup("gateway", help="The gateway in front of the services.")


def init_app(app: Flask) -> None:
    app.cli.add_command(cli)
    # A later stage may have more to run beside it: callables of a `dev_system.Plan`.
    app.extensions["beside_gateway"] = []


class Ambiguous(click.ClickException):
    """Two services could be meant by one address."""


class Node:
    """The addresses below a prefix: who answers there, and who answers at the prefix itself."""

    def __init__(self) -> None:
        self.below: dict[str, Node] = {}
        self.here: set[str] = set()

    @property
    def owners(self) -> set[str]:
        return self.here.union(*(node.owners for node in self.below.values()))

    def add(self, parts: list[str], owner: str) -> None:
        if not parts:
            self.here.add(owner)
            return
        self.below.setdefault(parts[0], Node()).add(parts[1:], owner)


def owner_of(app: Flask, rule: Rule) -> str:
    """The service that answers a route."""
    owner = doors.owner_of(app.view_functions[rule.endpoint].__module__)
    return PRODUCT if owner == "shared" else owner


def parts_of(rule: Rule) -> list[str]:
    """A route's address, part by part; a part that varies is any."""
    parts = [part for part in rule.rule.split("/") if part]
    return [ANYTHING if "<" in part else escape(part) for part in parts]


def escape(part: str) -> str:
    return re.sub(r"([^A-Za-z0-9_-])", r"\\\1", part)


def is_hidden(rule: Rule) -> bool:
    path = rule.rule.strip("/")
    return any(path == hidden or path.startswith(f"{hidden}/") for hidden in HIDDEN)


def tree_of(app: Flask) -> Node:
    root = Node()
    for rule in app.url_map.iter_rules():
        if not is_hidden(rule):
            root.add(parts_of(rule), owner_of(app, rule))
    return root


def addresses(node: Node, service: str, path: str = "") -> Iterator[str]:
    """The shortest prefixes below which only this service answers, as regular expressions."""
    for part, child in sorted(node.below.items()):
        here = f"{path}/{part}" if path else part
        if child.owners == {service}:
            yield f"{here}(/|$)"
        elif service in child.owners:
            if service in child.here:
                yield f"{here}/?$"
            yield from addresses(child, service, here)


def pattern_of(prefixes: Iterable[str]) -> str:
    """One regular expression for a service's addresses, in a workspace and outside."""
    whole: list[str] = []
    exact: list[str] = []
    for prefix in prefixes:
        path, ending = (prefix[:-5], whole) if prefix.endswith("(/|$)") else (prefix[:-3], exact)
        ending.append(path)
    kinds = [f"({'|'.join(whole)})(/|$)"] if whole else []
    kinds += [f"({'|'.join(exact)})/?$"] if exact else []
    paths = kinds[0] if len(kinds) == 1 else f"({'|'.join(kinds)})"
    return f"^(/t/[^/]+)?/{paths}"


def patterns_of(app: Flask) -> dict[str, str]:
    """The addresses of each service but the product's, as one regular expression each."""
    root = tree_of(app)
    patterns = {service: pattern_of(addresses(root, service)) for service in BEFORE_IT}
    for rule in app.url_map.iter_rules():
        path, owner = "/" + "/".join(parts_of(rule)), owner_of(app, rule)
        taken = {name for name, pattern in patterns.items() if re.search(pattern, unescape(path))}
        if not is_hidden(rule) and taken - {owner}:
            raise Ambiguous(
                f"The gateway can't tell {rule.rule}, which {owner} answers, from a route of "
                f"{' and '.join(taken - {owner})}. Give it an address of its own."
            )
    return patterns


def unescape(path: str) -> str:
    return path.replace("\\", "").replace(ANYTHING, "something")


def caddyfile(app: Flask) -> str:
    """The gateway's configuration, for the routes that this application has."""
    text = TEMPLATE.read_text("utf-8")
    hidden = pattern_of(f"{escape_path(path)}(/|$)" for path in HIDDEN)
    routes = [f"\t@hidden path_regexp {hidden}\n\thandle @hidden {{\n\t\trespond 404\n\t}}"]
    for service, pattern in patterns_of(app).items():
        routes.append(
            f"\t@{service} path_regexp {pattern}\n"
            f"\thandle @{service} {{\n\t\timport serve {upstreams(service)}\n\t}}"
        )
    routes.append(f"\thandle {{\n\t\timport serve {upstreams(PRODUCT)}\n\t}}")
    return text.replace("\t# ROUTES\n", "\n\n".join(routes) + "\n")


def escape_path(path: str) -> str:
    return "/".join(escape(part) for part in path.split("/"))


def upstreams(service: str) -> str:
    return f"{{${service.upper()}_UPSTREAMS:{service}:8000}}"


@cli.command("config")
@click.option("--write", is_flag=True, help=f"Write it to {WRITTEN_TO} instead of showing it.")
@with_appcontext
def config(write: bool) -> None:
    """Show the gateway's Caddyfile, made of the routes and of who answers each.

    A team's own routes go to the service of its features without being named. Write it again when
    the template's routes changed, or when a feature has a route below an address of auth, billing
    or analytics.
    """
    text = caddyfile(current_app)
    if not write:
        click.echo(text, nl=False)
        return
    path = Path(current_app.root_path).parent / WRITTEN_TO
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, "utf-8")
    click.echo(f"Wrote {WRITTEN_TO}.")
