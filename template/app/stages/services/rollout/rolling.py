"""`flask rollout plan`, `start`, `resume`, `pause`, `abort` and `rollback`."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from app.billing.plans import plans as all_plans
from app.stages.services.rollout import at_releases, migrations, waves
from app.stages.services.rollout.checking import check_migrations, heads_of_serving
from app.stages.services.rollout.driver import Driver, End, lagging, run_journey
from app.stages.services.rollout.errors import Refused
from app.stages.services.rollout.opening import (
    cli,
    every_option,
    name_of,
    opened,
    reason_option,
    release_argument,
    source_option,
    template,
    waves_option,
    who_option,
    why_option,
)
from app.stages.services.rollout.releases import refuse_absent, refuse_other_code
from app.stages.services.rollout.sources import NoSource, Prometheus, Scrape, Source
from app.stages.services.rollout.store import Rollout, Store
from app.stages.services.rollout.waves import Customer, Waves

PLANS = "SELECT tenant_id, plan FROM billing_subscriptions"


@cli.command("plan")
@release_argument
@waves_option
@with_appcontext
def plan_command(release: str, file: Path | None) -> None:
    """Show who would get a release in which wave, and what stands in the way. Changes nothing."""
    with opened(writing=False) as store:
        serving, _ = store.serving()
        plan, assigned = planned(store, release, file)
        click.echo(f"From {serving} to {release}, by {waves.file_in_use(file)}:\n")
        show_waves(plan, assigned)
        check_migrations(heads_of_serving(store))
        refuse_unfit(store, release)
    click.echo(f"\nNothing stands in the way. Next: flask rollout start {release}")


def planned(store: Store, release: str, file: Path | None) -> tuple[Waves, list[list[Customer]]]:
    """The waves, and who is in each."""
    plan = waves.read(waves.file_in_use(file))
    customers = store.customers()
    if not customers:
        raise Refused("There is no tenant to bring a release to.")
    if any(wave.plan is not None for wave in plan.wave):
        customers = with_plans(customers)
    return plan, waves.assign(plan.wave, customers, release)


def with_plans(customers: list[Customer]) -> list[Customer]:
    """The tenants, each with its plan; billing's database knows them."""
    settings = current_app.config["SETTINGS"]
    if "billing" not in settings.served and not settings.billing_database_url:
        raise Refused("A wave by plan needs BILLING_DATABASE_URL, where billing keeps the plans.")
    engine = create_engine(settings.database_url_of("billing"), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            plans = {row.tenant_id: row.plan for row in connection.execute(text(PLANS))}
    except DBAPIError as error:
        raise Refused(f"billing's database can't say who has which plan: {error.orig}") from None
    default = all_plans().default
    return [replace(one, plan=plans.get(one.id, default)) for one in customers]


def show_waves(plan: Waves, assigned: Sequence[Sequence[Customer]], sign: str = "") -> None:
    count = sum(map(len, assigned))
    for wave, members in zip(plan.wave, assigned, strict=True):
        share = len(members) / count if count else 0
        some = ", ".join(one.slug for one in members[:4]) + (", ..." if len(members) > 4 else "")
        hint = " (name yours in app/features/rollout.toml)" if wave.tenants == [] else ""
        click.echo(f"  {wave.name:12} {len(members):>7,} tenants {share:>6.1%}  {some}{hint}{sign}")
    gates = plan.gates
    click.echo(
        f"\nA wave takes at least {waves.shown(gates.soak)} and {gates.requests:,} requests. Of a "
        f"tenant's requests {gates.error_budget:.1%} may fail; 95 of 100 must take less than "
        f"{gates.slowest:g} s and {gates.slower:g} times the release before."
    )


def refuse_unfit(store: Store, release: str) -> None:
    """What can be known before a rollout begins."""
    serving, _ = store.serving()
    if release == serving:
        raise Refused(f"Everybody has {release} already.")
    if (underway := store.underway()) is not None:
        raise Refused(
            f"A rollout of {underway.release} is underway ({underway.state}): see "
            "`flask rollout status`."
        )
    refuse_other_code(release)
    refuse_absent(store, release)
    if not store.followers():
        raise Refused(
            "No gateway follows, so no tenant would get the release. Beside each gateway run: "
            "flask rollout follow --file FILE"
        )


@cli.command("start")
@release_argument
@waves_option
@source_option
@every_option
@who_option
@why_option
@click.option("--again", is_flag=True, help="Though it was rolled back before.")
@with_appcontext
def start_command(
    release: str,
    file: Path | None,
    scrape: bool,
    every: float,
    who: str | None,
    why: str,
    again: bool,
) -> None:
    """Bring a release to the tenants, wave by wave. Run it in the code of that release.

    It stays until the end: 0 means that everybody has the release, 1 that it was bad and is rolled
    back, or refused; 3 that it's paused, 4 that the database was away for long. If it's killed,
    start it again: it goes on where it was.
    """
    with opened() as store:
        name = name_of(who)
        underway = store.underway()
        if release == store.serving()[0] and underway is None:
            click.echo(f"Everybody has {release} already.")
            return
        if underway is not None and underway.release == release:
            click.echo(f"The rollout of {release} goes on in the wave {underway.wave_name}.")
            end = drive(store, scrape, every, name)
        else:
            refuse_unfit(store, release)
            refuse_what_came_back(store, release, again)
            check_migrations(heads_of_serving(store))
            plan, assigned = planned(store, release, file)
            show_waves(plan, assigned)

            def begin() -> None:
                store.know(release, {}, migrations.heads())
                store.begin(release, plan, assigned, name, why)

            end = drive(store, scrape, every, name, begin)
    raise SystemExit(end.value)


def refuse_what_came_back(store: Store, release: str, again: bool) -> None:
    """A release never changes, so one that was bad is bad. So it is for a command that was killed
    just after it had brought it back."""
    latest = store.find("release = :release", release=release)
    if latest is not None and latest.state == "stopped" and not again:
        raise Refused(
            f"{release} was rolled back: {latest.why}. If that wasn't its fault, say --again."
        )


def drive(
    store: Store,
    scrape: bool,
    every: float,
    who: str,
    before: Callable[[], None] = lambda: None,
) -> End:
    """Drive the rollout to its end. While the database is away nothing is done but to wait."""
    driver = Driver(
        store,
        source_for(store, scrape),
        who,
        at_releases.prober(store, template()),
        run_journey,
        click.echo,
        every,
    )
    end = driven(driver, before)
    if driver.saw:
        click.echo(f"{len(driver.saw):,} of {len(store.customers()):,} tenants met an error in it.")
    return end


def driven(driver: Driver, before: Callable[[], None]) -> End:
    """Each time that the database comes back, the lock has to be had anew."""
    begun = False
    while True:
        try:
            with driver.store.driving(f"{driver.who}, process {os.getpid()}"):
                if not begun:
                    before()
                    begun = True
                return driver.run()
        except DBAPIError as error:
            driver.store.close()
            if not begun:
                raise
            if driver.is_away_for_long(str(error.orig).strip()):
                return End.AWAY
            driver.sleep(driver.tick)


def source_for(store: Store, scrape: bool) -> Source:
    """Who measures."""
    url = current_app.config["SETTINGS"].prometheus_url
    if scrape:
        places = template()

        def instances(release: str) -> list[str]:
            found = at_releases.addresses(store, places, release).values()
            return [place for of_service in found for place in of_service]

        return Scrape(instances)
    return Prometheus(url) if url else NoSource()


@cli.command("resume")
@source_option
@every_option
@who_option
@why_option
@with_appcontext
def resume_command(scrape: bool, every: float, who: str | None, why: str) -> None:
    """Go on with a rollout that is paused, or whose command was killed."""
    with opened() as store:
        name = name_of(who)
        rollout = the_one_underway(store)

        def begin() -> None:
            if rollout.state == "paused":
                store.resume(rollout, name, why)
            click.echo(f"The rollout of {rollout.release} goes on in the wave {rollout.wave_name}.")

        end = drive(store, scrape, every, name, begin)
    raise SystemExit(end.value)


def the_one_underway(store: Store) -> Rollout:
    rollout = store.underway()
    if rollout is None:
        raise Refused("No rollout is underway. Begin with: flask rollout start RELEASE")
    return rollout


@cli.command("pause")
@who_option
@reason_option
@with_appcontext
def pause_command(who: str | None, why: str) -> None:
    """Go no further for now; everybody stays where they are."""
    with opened() as store:
        rollout = the_one_underway(store)
        if rollout.state == "paused":
            raise Refused(f"It's paused already: {rollout.why}")
        store.pause(rollout, name_of(who), why)
    click.echo(f"Paused in the wave {rollout.wave_name}. Go on with: flask rollout resume")


@cli.command("abort")
@who_option
@reason_option
@with_appcontext
def abort_command(who: str | None, why: str) -> None:
    """Give the rollout up: its tenants have the release before again."""
    with opened() as store:
        rollout = the_one_underway(store)
        give_up(store, rollout, name_of(who), why)


def give_up(store: Store, rollout: Rollout, who: str, why: str) -> None:
    store.stop(rollout, who, why)
    click.echo(f"Everybody has {rollout.previous} again.")
    wait_for_gateways(store)


def wait_for_gateways(store: Store) -> None:
    begun = time.monotonic()
    if late := lagging(store):
        raise click.ClickException(f"But {late}")
    click.echo(f"All gateways have followed after {time.monotonic() - begun:.1f} s.")


@cli.command("rollback")
@who_option
@reason_option
@with_appcontext
def rollback_command(who: str | None, why: str) -> None:
    """Go back to the release before, at once: out of a rollout, or after one that is done."""
    with opened() as store:
        name = name_of(who)
        if (rollout := store.underway()) is not None:
            give_up(store, rollout, name, why)
            return
        _, previous = store.serving()
        if previous is not None:
            refuse_absent(store, previous)
        click.echo(f"Everybody has {store.go_back(name, why)} again.")
        wait_for_gateways(store)
