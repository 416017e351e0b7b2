"""The geometry of charts: round numbers at the side, nothing outside the plot."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.pages import charts

FIRST = date(2026, 11, 1)
COUNTS = st.lists(st.integers(0, 10**9), min_size=1, max_size=400)


def days(counts: list[int]) -> list[tuple[date, int]]:
    return [(FIRST + timedelta(days=number), count) for number, count in enumerate(counts)]


@pytest.mark.parametrize(
    ("most", "ticks"),
    [
        (0, ["0", "1"]),
        (1, ["0", "1"]),
        (3, ["0", "1", "2", "3"]),
        (5, ["0", "2", "4", "6"]),
        (17, ["0", "5", "10", "15", "20"]),
        (40, ["0", "10", "20", "30", "40"]),
        (4_100, ["0", "2k", "4k", "6k"]),
        (5_500_000, ["0", "2M", "4M", "6M"]),
    ],
)
def test_gridlines_are_at_round_numbers(most, ticks):
    assert [tick.text for tick in charts.line(days([0, most])).ticks] == ticks


def test_a_larger_number_is_higher():
    low, high, zero = charts.line(days([5, 20, 0])).points

    assert high.y == 0
    assert zero.y == 100
    assert zero.y > low.y > high.y


def test_the_first_and_the_last_day_are_at_the_edges():
    points = charts.line(days([1, 2, 3])).points

    assert [point.x for point in points] == [0, 50, 100]


def test_a_single_day_stands_in_the_middle():
    chart = charts.line(days([7]))

    assert chart.points[0].x == 50
    assert chart.line == "M50 12.5"


def test_each_point_says_its_day_and_number():
    assert charts.line(days([1_234])).points[0].title == "1 Nov: 1,234"


@pytest.mark.parametrize("length", [1, 2, 6, 7, 30, 90, 366])
def test_a_few_days_are_named_the_last_among_them(length):
    marks = charts.line(days([1] * length)).marks

    assert 1 <= len(marks) <= charts.MOST_MARKS
    last = FIRST + timedelta(days=length - 1)
    assert marks[-1].text == f"{last.day} {last:%b}"
    assert not marks[-1].spare


@given(COUNTS)
def test_nothing_is_drawn_outside_the_plot(counts):
    chart = charts.line(days(counts))

    places = [place for point in chart.points for place in (point.x, point.y, point.left)]
    places += [tick.y for tick in chart.ticks] + [mark.x for mark in chart.marks]
    assert all(0 <= place <= 100 for place in places)
    assert 2 <= len(chart.ticks) <= charts.TICKS + 1


@given(COUNTS)
def test_the_strips_of_the_points_cover_the_plot(counts):
    points = charts.line(days(counts)).points

    assert sum(point.width for point in points) == pytest.approx(100, abs=len(points) * 0.01)


def test_the_longest_bar_fills_its_row():
    bars = charts.bars([("a", 30), ("b", 15), ("c", 0)])

    assert [bar.percent for bar in bars] == [100, 50, 0]


def test_bars_of_nothing_are_none():
    assert charts.bars([]) == []
    assert charts.bars([("a", 0)])[0].percent == 0


@pytest.mark.parametrize(
    ("part", "whole", "percent"), [(1, 4, 25), (9, 3, 100), (-1, 3, 0), (0, 0, 0), (3, 0, 0)]
)
def test_a_share_stays_between_nothing_and_all(part, whole, percent):
    assert charts.percent(part, whole) == percent
