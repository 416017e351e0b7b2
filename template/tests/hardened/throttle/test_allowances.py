"""Allowances: how they are written, and whose counts."""

import time

import pytest

from app.settings import BadSettings
from app.stages.hardened.throttle.allowances import Allowance, Allowances, Override, of_plans


@pytest.mark.parametrize(
    ("text", "found"),
    [("50:100", Allowance(50, 100)), ("7", Allowance(7, 14)), (" 3:3 ", Allowance(3, 3))],
)
def test_an_allowance_is_read_as_it_is_written(text, found):
    assert Allowance.read(text) == found


@pytest.mark.parametrize("text", ["", "x", "0", "-1:5", "10:5", "5:x", "1:2:3", "5.5", "2000000"])
def test_what_is_none_is_refused(text):
    with pytest.raises(ValueError, match=r"RATE|rate"):
        Allowance.read(text)


def test_plans_have_their_own():
    assert of_plans("free=10:20, pro=100") == {
        "free": Allowance(10, 20),
        "pro": Allowance(100, 200),
    }
    assert of_plans("") == {}


def test_an_operator_decides_for_a_while():
    usual = Allowances(Allowance(5, 10), {"pro": Allowance(50, 100)}, None)
    assert usual.of("acme", None) == Allowance(5, 10)
    assert usual.of("acme", "pro") == Allowance(50, 100)

    usual.decided["acme"] = Override(Allowance(1, 2), time.time() + 60, "they flood")
    assert usual.of("acme", "pro") == Allowance(1, 2)
    assert usual.of("initech", "pro") == Allowance(50, 100)

    usual.decided["acme"] = Override(Allowance(1, 2), time.time() - 1, "they flooded")
    assert usual.of("acme", "pro") == Allowance(50, 100)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("throttle", "lots"),
        ("throttle", "10:5"),
        ("throttle_plans", "pro"),
        ("throttle_share", "0"),
    ],
)
def test_settings_that_are_none_are_refused_at_start(make_app, name, value):
    with pytest.raises(BadSettings, match=name.upper()):
        make_app(**{name: value})
