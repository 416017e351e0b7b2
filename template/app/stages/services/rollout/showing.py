"""`flask rollout status` and `waves`: what there is to see."""

from pathlib import Path

import click
from flask.cli import with_appcontext

from app.stages.services.rollout import waves
from app.stages.services.rollout.errors import Refused
from app.stages.services.rollout.opening import (
    cli,
    opened,
    plain_refusals,
    waves_option,
)
from app.stages.services.rollout.store import Rollout, Store


@cli.command("status")
@with_appcontext
def status_command() -> None:
    """Show who has which release, how far the rollout is, and who did what when and why."""
    with opened(writing=False) as store:
        serving, previous = store.serving()
        if serving is None:
            raise Refused("No release is known yet. Begin with: flask rollout adopt RELEASE")
        before = f"; before it {previous}" if previous else ""
        click.echo(f"Everybody who isn't pinned has {serving}{before}.")
        show_gateways(store)
        rollout = store.latest()
        if rollout is not None:
            show_rollout(store, rollout)
        show_steps("Outside of rollouts", store, None)


def show_gateways(store: Store) -> None:
    version = store.version()
    for one in store.followers():
        state = "up to date" if one.version == version else f"behind: {one.problem or 'following'}"
        click.echo(f"Gateway {one.name}: {state}")
    if not store.followers():
        click.echo("No gateway follows.")


def show_rollout(store: Store, rollout: Rollout) -> None:
    why = f": {rollout.why}" if rollout.why else ""
    click.echo(
        f"\nRollout {rollout.id}, {rollout.previous} → {rollout.release}: {rollout.state}{why}"
    )
    if rollout.is_underway:
        at_work = rollout.driver if store.is_driven() else "nobody: flask rollout resume"
        click.echo(f"Driven by {at_work}")
    for number, size in enumerate(store.sizes(rollout)):
        if rollout.state == "stopped" and number <= rollout.wave:
            state = f"back on {rollout.previous}"
        elif number < rollout.wave or rollout.state == "done":
            state = f"has {rollout.release}"
        elif number == rollout.wave:
            state = f"has {rollout.release}, watched since {rollout.wave_at:%H:%M:%S}"
        else:
            state = f"has {rollout.previous}"
        click.echo(f"  {rollout.waves.wave[number].name:12} {size:>7,} tenants  {state}")
    show_steps("Steps", store, rollout)


def show_steps(title: str, store: Store, rollout: Rollout | None) -> None:
    steps = store.steps(rollout)
    if not steps:
        return
    click.echo(f"\n{title}:")
    for step in steps:
        why = f" ({step.why})" if step.why else ""
        click.echo(f"  {step.at:%Y-%m-%d %H:%M:%S}  {step.who}: {step.what}{why}")


@cli.command("waves")
@waves_option
@with_appcontext
def waves_command(file: Path | None) -> None:
    """Check and show the file that says who comes when. Yours is app/features/rollout.toml."""
    with plain_refusals():
        found = waves.file_in_use(file)
        waves.read(found)
    click.echo(f"# {found}\n{found.read_text('utf-8')}", nl=False)
