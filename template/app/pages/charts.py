"""Charts: the geometry of what the server draws. Places are in percent, so that plots scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

MOST_MARKS = 6
TICKS = 4
STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Tick:
    """A gridline with its number."""

    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A word under the plot; every second one may be left out where there is little room."""

    x: float
    text: str
    spare: bool


@dataclass(frozen=True, slots=True)
class Point:
    """A place on the line, and the strip around it that answers to the pointer."""

    x: float
    y: float
    left: float
    width: float
    title: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line over an area, with its axes."""

    ticks: list[Tick]
    marks: list[Mark]
    points: list[Point]

    @property
    def line(self) -> str:
        """The line as an SVG path."""
        return "M" + " L".join(f"{point.x:g} {point.y:g}" for point in self.points)

    @property
    def area(self) -> str:
        """What lies under the line, as an SVG path."""
        first, last = self.points[0], self.points[-1]
        return f"{self.line} L{last.x:g} 100 L{first.x:g} 100 Z"


@dataclass(frozen=True, slots=True)
class Bar:
    """A name with its number, and how long its bar is."""

    name: str
    count: int
    percent: float


def line(points: Sequence[tuple[Any, int]]) -> Line:
    """The plot of amounts over time; there must be at least one."""
    top = nice_top(max(count for _, count in points))
    places = spread(len(points))
    return Line(
        ticks=[Tick(percent(top - value, top), short(value)) for value in ticks_up_to(top)],
        marks=marks_of([day for day, _ in points], places),
        points=points_of(points, places, top),
    )


def bars(points: Sequence[tuple[str, int]]) -> list[Bar]:
    """Bars next to each other, the longest as long as there is room."""
    longest = max((count for _, count in points), default=0)
    return [Bar(name, count, percent(count, longest)) for name, count in points]


def points_of(points: Sequence[tuple[Any, int]], places: list[float], top: int) -> list[Point]:
    borders = [0.0, *((a + b) / 2 for a, b in pairwise(places)), 100.0]
    return [
        Point(
            x=x,
            y=percent(top - count, top),
            left=rounded(left),
            width=rounded(right - left),
            title=f"{name_of(day)}: {count:,}",
        )
        for (day, count), x, (left, right) in zip(points, places, pairwise(borders), strict=True)
    ]


def marks_of(days: Sequence[Any], places: list[float]) -> list[Mark]:
    """Some of the days, evenly apart, the last one among them."""
    step = -(-len(days) // MOST_MARKS)
    shown = list(range((len(days) - 1) % step, len(days), step))
    return [
        Mark(places[at], name_of(days[at]), spare=number % 2 == 1)
        for number, at in enumerate(reversed(shown))
    ][::-1]


def spread(count: int) -> list[float]:
    """Places for so many points, from edge to edge; a single one stands in the middle."""
    return [rounded(100 * at / (count - 1)) for at in range(count)] if count > 1 else [50.0]


def nice_top(most: int) -> int:
    """The smallest round number of steps that holds the largest amount."""
    step = nice_step(most)
    return max(step * -(-most // step), step)


def nice_step(most: int) -> int:
    """A round distance between gridlines: 1, 2 or 5, or these with noughts."""
    magnitude = 1
    while True:
        for step in STEPS:
            if step * magnitude * TICKS >= most:
                return step * magnitude
        magnitude *= 10


def ticks_up_to(top: int) -> range:
    return range(0, top + 1, nice_step(top))


def percent(part: float, whole: float) -> float:
    """A share in percent, between 0 and 100; of nothing it is 0."""
    return rounded(min(max(100 * part / whole, 0), 100)) if whole else 0.0


def short(number: int) -> str:
    """A number for an axis: 950, 1.5k, 2M."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number / size:g}{letter}"
    return str(number)


def name_of(day: Any) -> str:
    return f"{day.day} {day:%b}" if isinstance(day, date) else str(day)


def rounded(number: float) -> float:
    return round(number, 2)
