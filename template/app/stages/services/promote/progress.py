"""How far it is: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Callable

import click

WIDTH = 24
BAR_EVERY = 0.2
LINE_EVERY = 5.0


class Bar:
    """Rows done of all rows, rows a second, and the time that is left."""

    def __init__(self, total: int, already: int = 0, say: Callable[[str], None] | None = None):
        self.total = total
        self.done = already
        self.already = already
        self.say = say
        self.is_terminal = say is None and sys.stderr.isatty()
        self.started = self.shown = time.monotonic()

    def __call__(self, rows: int, what: str) -> None:
        self.done += rows
        moment = time.monotonic()
        if moment - self.shown >= (BAR_EVERY if self.is_terminal else LINE_EVERY):
            self.shown = moment
            self.show(what)

    @property
    def rate(self) -> float:
        return (self.done - self.already) / max(time.monotonic() - self.started, 1e-6)

    def show(self, what: str) -> None:
        total = max(self.total, self.done, 1)
        full = WIDTH * self.done // total
        left = (total - self.done) / self.rate if self.rate else 0
        text = (
            f"[{'#' * full}{'.' * (WIDTH - full)}] {100 * self.done // total:3}% "
            f"{self.done:,} of {total:,} rows, {self.rate:,.0f} rows/s, "
            f"{clock(left)} left  {what}"
        )
        if self.say:
            self.say(text)
        elif self.is_terminal:
            click.echo(f"\r\x1b[K{text}", err=True, nl=False)
        else:
            click.echo(text, err=True)

    def close(self) -> None:
        if self.is_terminal:
            click.echo("\r\x1b[K", err=True, nl=False)


def clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"
