"""`flask attack`: the command."""

import click
import orjson
from flask import current_app
from flask.cli import with_appcontext

from app.stages.hardened.attack import parties, surface, tries
from app.stages.hardened.attack.record import Attack


@click.command("attack")
@click.option("--url", help="The system to attack. Default: PUBLIC_URL, as `flask dev` prints it.")
@click.option(
    "--ours",
    envvar="ATTACK_OURS",
    help="workspace:email:password of the workspace that attacks. Better in the environment.",
)
@click.option(
    "--theirs",
    envvar="ATTACK_THEIRS",
    help="workspace:email:password of the one that is attacked. Another one, with another owner.",
)
@click.option("--json", "as_json", is_flag=True, help="Say it as JSON.")
@click.option("--yes", is_flag=True, help="Yes, also a system that isn't development.")
@with_appcontext
def attack(url: str | None, ours: str | None, theirs: str | None, as_json: bool, yes: bool) -> None:
    """Try the walls between two workspaces of a running system, by HTTP alone.

    What it tries it finds in the system's /openapi.json and in this project's routes: foreign ids
    in every address and query, lists and exports, tokens and sessions at another's address,
    headers, odd paths, fields that nobody may set. It says how often it tried, and what came
    through; a breach ends it with 1.

    It WRITES into both workspaces: an API token each, one of everything that the API makes, and
    whatever a hole would let it change or delete. In development it makes two workspaces of its
    own by signing up; elsewhere name two that are there for tests, by --ours and --theirs or
    ATTACK_OURS and ATTACK_THEIRS, and say --yes.
    """
    at = (url or current_app.config["SETTINGS"].public_url).rstrip("/")
    development = parties.is_development(at)
    refuse(at, development, bool(ours and theirs), yes)
    target = prepared(at, ours, theirs, tell=not as_json)
    done = []
    for record in tries.made(target):
        done.append(record)
        if not as_json:
            click.echo(shown(record))
    finish(done, as_json)


def refuse(at: str, development: bool, named: bool, yes: bool) -> None:
    if not development and not yes:
        raise click.ClickException(
            f"{at} isn't development, and this writes into two workspaces. Say --yes if they are "
            "there for tests."
        )
    if not development and not named:
        raise click.ClickException(
            "Outside of development nobody can sign up unseen: name two workspaces with --ours and "
            "--theirs, or ATTACK_OURS and ATTACK_THEIRS."
        )


def prepared(at: str, ours: str | None, theirs: str | None, *, tell: bool) -> tries.Target:
    """Both parties with something of their own, and what there is to attack."""

    def say(text: str) -> None:
        if tell:
            click.echo(f"  … {text}", err=True)

    say("the two workspaces")
    target = tries.Target(
        parties.given(at, ours) if ours else parties.new(at, "ours"),
        parties.given(at, theirs) if theirs else parties.new(at, "theirs"),
        surface.operations(at, "text"),
        list(surface.pages()),
        say,
    )
    if not target.operations:
        raise click.ClickException(f"{at}/openapi.json names nothing to attack.")
    say("something in each")
    tries.plant(target)
    if not target.ids():
        raise click.ClickException("Theirs has nothing with an id, so there is nothing to find.")
    if tell:
        click.echo(
            f"{at}: {target.ours.slug} attacks {target.theirs.slug}, with {len(target.ids())} of "
            f"its ids, by {len(target.operations)} operations and {len(target.pages)} pages.\n"
        )
    return target


def shown(record: Attack) -> str:
    line = f"{record.name:28} {record.tries:6} tries  {len(record.breaches):4} breaches"
    return "\n".join([line, *(f"    {breach}" for breach in record.breaches[:20])])


def finish(done: list[Attack], as_json: bool) -> None:
    """Say what it comes to; a breach is a failure."""
    total, through = sum(one.tries for one in done), sum(len(one.breaches) for one in done)
    if as_json:
        rows = [
            {"attack": one.name, "about": one.about, "tries": one.tries, "breaches": one.breaches}
            for one in done
        ]
        said = {"tries": total, "breaches": through, "attacks": rows}
        click.echo(orjson.dumps(said, option=orjson.OPT_INDENT_2).decode())
    else:
        click.echo(f"\n{'in all':28} {total:6} tries  {through:4} breaches")
    if through:
        raise SystemExit(1)
