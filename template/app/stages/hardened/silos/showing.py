"""The fleet in words for people."""

from collections import Counter
from collections.abc import Mapping, Sequence
from uuid import UUID

import click
from sqlalchemy import Engine, select

from app.stages.hardened.silos import runs
from app.stages.hardened.silos.ledger import Ledger
from app.stages.hardened.silos.looking import Look
from app.stages.hardened.silos.models import Visit
from app.stages.hardened.silos.versions import target_of

SHOWN = 20


def versions(looks: Sequence[Look]) -> None:
    """How many silos have which migrations, service by service."""
    counts = Counter((one.place.service, one.version) for one in looks if not one.problem)
    if not looks:
        click.echo("There are no silos.")
    for (service, version), count in sorted(counts.items()):
        behind = "" if version == target_of(service) else f"  (not {target_of(service)})"
        click.echo(f"{service:10} {count:>6,}  {version}{behind}")


def problems(looks: Sequence[Look]) -> None:
    """The silos that can't be looked at."""
    away = [one for one in looks if one.problem]
    for one in away[:SHOWN]:
        click.echo(f"{one.place.name} doesn't answer: {one.problem}")
    if len(away) > SHOWN:
        click.echo(f"... and {len(away) - SHOWN:,} more don't answer.")


def silos(looks: Sequence[Look], slugs: Mapping[UUID, str]) -> None:
    """A line for each silo."""
    for one in looks:
        workspace = slugs.get(one.place.tenant_id, "(no workspace)")
        click.echo(f"{one.place.service:10} {workspace:24} {one.place.name}  {state_of(one)}")


def state_of(found: Look) -> str:
    if found.problem:
        return f"doesn't answer: {found.problem.splitlines()[0]}"
    current = found.version == target_of(found.place.service)
    return "up to date" if current else f"at {found.version}"


def run(engine: Engine) -> None:
    """How the newest run stands, wave by wave, and who is set apart."""
    newest = runs.latest(engine)
    if newest is None:
        click.echo("\nNo run of migrations has begun.")
        return
    standing = Ledger(engine, newest.id, "").standing()
    click.echo(f"\nRun of {newest.created_at:%Y-%m-%d %H:%M}: {newest.state} {newest.why}".rstrip())
    for number, found in standing.waves.items():
        parts = ", ".join(f"{count:,} {state}" for state, count in sorted(found.items()))
        click.echo(f"  wave {number + 1}: {parts}")
    for place, error in failures(engine, newest.id):
        click.echo(f"  set apart: {place}: {error}")


def failures(engine: Engine, run_id: UUID) -> list[tuple[str, str]]:
    """The silos that a run has set apart, with their errors."""
    asked = select(Visit.place, Visit.error).filter_by(run_id=run_id, state="failed")
    with engine.connect() as connection:
        return [(place, error) for place, error in connection.execute(asked.order_by(Visit.place))]
