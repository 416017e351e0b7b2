"""`flask feature`: lists the features, and makes the files of a new one, ready to run.

The files lie in `feature/`, called `things`; what is made is yours to change from then on.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from keyword import iskeyword, issoftkeyword
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

import click
from flask import Flask, current_app
from flask.cli import AppGroup

from app import api, create_app, features
from app.db import TEAMS, metadata_for, owns

PATTERN = Path(__file__).with_name("feature")
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LONGEST = 40
# What the views and modules of a feature use already, so that one of its rows can't be called so.
WORDS_IN_USE = set(PATTERN.joinpath("words_in_use.txt").read_text("utf-8").split())
# The ends of words in the plural, and what they become.
ENDS = (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh"), ("s", ""))

cli = AppGroup("feature", help="List your features, or begin a new one.")


def init_app(app: Flask) -> None:
    app.cli.add_command(cli)


@dataclass(frozen=True, slots=True)
class Naming:
    """What a feature and one of its rows are called, in code and on pages."""

    plural: str
    singular: str

    def fill(self, text: str) -> str:
        """The text of a pattern with these names in it."""
        words = {
            "THINGS_TITLE": spoken(self.plural).capitalize(),
            "THINGS_TEXT": spoken(self.plural),
            "THING_TEXT": spoken(self.singular),
            "Things": camel(self.plural),
            "Thing": camel(self.singular),
            "things": self.plural,
            "thing": self.singular,
        }
        return re.sub("|".join(words), lambda found: words[found[0]], text)


def spoken(name: str) -> str:
    return name.replace("_", " ")


def camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def singular_of(plural: str) -> str:
    """A guess; whoever knows better says so with --singular."""
    for end, becomes in ENDS:
        if plural.endswith(end):
            return plural.removesuffix(end) + becomes
    return plural


@cli.command("list")
def list_command() -> None:
    """List the features with what they require and where they are."""
    for name in features.names():
        feature = features.load(name)
        permissions = ", ".join(getattr(feature, "PERMISSIONS", {})) or "no permissions"
        click.echo(f"{name:24} app/features/{name}/  {permissions}")


@cli.command("new")
@click.argument("name")
@click.option("--singular", default="", help="What one of them is called, if it isn't clear.")
def new_command(name: str, singular: str) -> None:
    """Make a feature called NAME, a word in the plural such as `orders` or `purchase_orders`."""
    naming = Naming(name, singular or singular_of(name))
    refuse_bad_names(naming)
    refuse_taken_names(current_app, naming)
    with taken_back_if_it_fails(folders_of(naming)):
        files = [*write(naming)]
        tidy(files)
        files.append(write_migration(current_app, naming))
    say_what_to_do(naming, files)


def refuse_bad_names(naming: Naming) -> None:
    for word in (naming.plural, naming.singular):
        if not NAME.fullmatch(word) or len(word) > LONGEST:
            raise click.BadParameter(
                f"{word!r} can't name a folder, a table and an address: use at most {LONGEST} "
                "lower-case letters a-z, digits and single underscores, a letter first."
            )
        if iskeyword(word) or issoftkeyword(word):
            raise click.BadParameter(f"{word!r} is a word of Python's. Choose another one.")
    if naming.singular == naming.plural or naming.singular in WORDS_IN_USE:
        raise click.BadParameter(
            f"One of {naming.plural!r} can't be called {naming.singular!r} in the code. "
            f"Say what it's called: uv run flask feature new {naming.plural} --singular WORD"
        )


def refuse_taken_names(app: Flask, naming: Naming) -> None:
    name = naming.plural
    table = f"The table {name!r}"
    taken = {
        f"app/features/{name}/ is there already.": folders_of(naming)[0].exists(),
        f"tests/features/{name}/ is there already.": folders_of(naming)[1].exists(),
        f"Another blueprint is called {name!r}.": {name, f"{name}_api"} & app.blueprints.keys(),
        f"The address /{name} is taken.": is_an_address(app, name),
        f"{table} would belong to the template.": not owns(TEAMS, name),
        f"{table} exists.": name in metadata_for(TEAMS).tables,
        f"The API has a {camel(naming.singular)} already.": is_in_the_api(naming),
    }
    for reason, is_so in taken.items():
        if is_so:
            raise click.ClickException(f"{reason} Nothing was written; choose another name.")


def is_an_address(app: Flask, name: str) -> bool:
    first_parts = {rule.rule.split("/")[1] for rule in app.url_map.iter_rules()}
    return name in first_parts | {"api", "t"}


def is_in_the_api(naming: Naming) -> bool:
    one, many = camel(naming.singular), camel(naming.plural)
    return bool({f"{one}Said", f"{one}Shown", f"{many}Listed"} & api.NAMES.keys())


def folders_of(naming: Naming) -> tuple[Path, Path]:
    """Where the code goes, and where its tests go."""
    app_folder = Path(current_app.root_path)
    return (
        app_folder / "features" / naming.plural,
        app_folder.parent / "tests" / "features" / naming.plural,
    )


@contextmanager
def taken_back_if_it_fails(folders: tuple[Path, Path]) -> Iterator[None]:
    """Leave either everything or nothing behind."""
    try:
        yield
    except BaseException:
        for folder in folders:
            rmtree(folder, ignore_errors=True)
        raise


def write(naming: Naming) -> Iterator[Path]:
    """Write the files, and answer them."""
    for source, target in zip(("app", "tests"), folders_of(naming), strict=True):
        for pattern in sorted((PATTERN / source).rglob("*.*")):
            place = naming.fill(pattern.relative_to(PATTERN / source).as_posix())
            file = target / place.removesuffix(".txt")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(naming.fill(pattern.read_text("utf-8")), "utf-8")
            yield file


def tidy(files: list[Path]) -> None:
    """Sort imports and break lines as ruff would: long names move them."""
    ruff = Path(sys.executable).with_name("ruff")
    if ruff.exists():
        run = partial(subprocess.run, check=True, stdout=subprocess.DEVNULL)
        python = [str(file) for file in files if file.suffix == ".py"]
        run([str(ruff), "check", "--select", "I", "--fix", "--quiet", *python])
        run([str(ruff), "format", "--quiet", *python])


def write_migration(app: Flask, naming: Naming) -> Path:
    """Write the migration that makes the feature's table, against a database made for that."""
    from app import migrate  # Alembic is slow to import.

    with TemporaryDirectory() as folder:
        fresh = create_app(only_database(f"sqlite:///{Path(folder).as_posix()}/fresh.db"))
        with fresh.app_context():
            migrate.upgrade(fresh)
            refuse_other_changes(fresh, naming)
            return migrate.write_revision(fresh, TEAMS, spoken(naming.plural))


def only_database(url: str) -> dict[str, str]:
    """Settings by which every package is in this one database."""
    packages = ("auth", "billing", "analytics", "features", "migrations")
    return {"database_url": url} | {f"{package}_database_url": "" for package in packages}


def refuse_other_changes(fresh: Flask, naming: Naming) -> None:
    """The new migration must hold the new table only."""
    from app import migrate

    with migrate.connecting(fresh, TEAMS) as connection:
        differences = migrate.differences(TEAMS, connection)
    others = [one for one in differences if naming.plural not in str(one)]
    if others:
        raise click.ClickException(
            "Your models have changes that no migration makes yet. Nothing was written; "
            'first run: uv run flask db revision -m "..."'
        )


def say_what_to_do(naming: Naming, files: list[Path]) -> None:
    root = Path(current_app.root_path).parent
    for file in files:
        click.echo(f"  {file.relative_to(root).as_posix()}")
    click.echo(
        f"""
{spoken(naming.plural).capitalize()} are there. Next:

  uv run flask db upgrade                 make the table
  uv run pytest tests/features/{naming.plural} tests/isolation
  uv run flask dev                        look at it: /t/acme/{naming.plural}/

Then say in app/features/{naming.plural}/models.py what one of them keeps, and:

  uv run flask db revision -m "..."       write down what that changes in the table

docs/features.md goes on from there."""
    )
