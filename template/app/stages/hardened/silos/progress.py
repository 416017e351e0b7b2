"""How far the fleet is: one line that changes on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Callable

import click

from app.stages.hardened.silos.ledger import Standing

LINE_EVERY = 5.0


class Progress:
    """Tells how a run stands, and when a wave is done."""

    def __init__(self, began: Standing, say: Callable[[str], None] | None = None) -> None:
        self.say = say or (lambda text: click.echo(text, err=True))
        self.is_terminal = say is None and sys.stderr.isatty()
        self.started = self.shown = time.monotonic()
        self.already = began.count("done", "failed")
        self.wave = began.wave

    def __call__(self, standing: Standing) -> None:
        done = standing.count("done", "failed")
        self.tell_of_waves(standing)
        moment = time.monotonic()
        if self.is_terminal:
            click.echo(f"\r\x1b[K{self.line(standing, done)}", err=True, nl=False)
        elif moment - self.shown >= LINE_EVERY:
            self.shown = moment
            self.say(self.line(standing, done))

    def tell_of_waves(self, standing: Standing) -> None:
        """Say once of each wave that it's done."""
        for number in range(self.wave, standing.wave):
            found = standing.waves[number]
            self.clear()
            apart = f", {found['failed']} set apart" if found["failed"] else ""
            self.say(f"wave {number + 1} is done: {found.total():,} silos{apart}")
        self.wave = standing.wave

    def finish(self, standing: Standing) -> None:
        """Tell of the last wave, and leave the line."""
        self.tell_of_waves(standing)
        self.clear()
        if not standing.count("waiting") and standing.waves:
            self.say(f"all waves are done in {time.monotonic() - self.started:.1f} s")

    def line(self, standing: Standing, done: int) -> str:
        rate = (done - self.already) / max(time.monotonic() - self.started, 1e-6)
        apart = f", {standing.count('failed')} set apart" if standing.count("failed") else ""
        return (
            f"wave {standing.wave + 1} of {len(standing.waves)}: {done:,} of {standing.total:,} "
            f"silos, {rate:.0f} a second{apart}"
        )

    def clear(self) -> None:
        if self.is_terminal:
            click.echo("\r\x1b[K", err=True, nl=False)
