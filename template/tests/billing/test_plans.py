"""plans.toml: the team's file is read, and each mistake in it is named with its place."""

import tomllib
from pathlib import Path

import pytest

from app.billing.plans import FILE, BadPlans, load

GOOD = """
default = "free"
currency = "eur"
limits = { seats = "Seats" }
entitlements = { export = "Export" }
meters = { calls = "API calls" }

[plans.free]
title = "Free"
summary = "To begin with."
price = 0
limits = { seats = 1 }
entitlements = { export = false }
meters = { calls = { included = 10, unit_price = 0 } }

[plans.team]
title = "Team"
summary = "For more."
price = 900
limits = { seats = "unlimited" }
entitlements = { export = true }
meters = { calls = { included = 100, unit_price = 2 } }
"""


@pytest.fixture
def file(tmp_path):
    return tmp_path / "plans.toml"


def read(file: Path, text: str):
    file.write_text(text, "utf-8")
    return load(file)


def test_the_file_that_comes_along_is_right(app):
    given = load(Path(app.root_path) / FILE)

    assert given.free.is_free
    assert set(given.plans) == {"free", "pro"}


def test_a_file_says_what_each_plan_has(file):
    plans = read(file, GOOD)

    assert plans.free.limits == {"seats": 1}
    assert plans.find("team").limits == {"seats": None}
    assert plans.find("team").entitlements["export"]
    assert plans.find("team").meters["calls"].unit_price == 2


@pytest.mark.parametrize(
    ("good", "bad", "complaint"),
    [
        ('default = "free"', "", "default: Field required"),
        ('default = "free"', 'default = "gold"', "there is no plan called 'gold'"),
        ('default = "free"', 'default = "team"', "'team' must be free"),
        ('currency = "eur"', 'currency = "Euro"', "currency: "),
        ("price = 900", "price = 9.5", "plans.team.price: "),
        ("price = 900", "price = -1", "plans.team.price: "),
        ("price = 900", 'price = "900"', "plans.team.price: "),
        ("price = 900", "price = 99999999999999999999", "plans.team.price: "),
        ("price = 900", "", "plans.team.price: Field required"),
        ("price = 900", "prize = 900", "plans.team.prize: Extra inputs"),
        ('title = "Team"', 'title = "  "', "plans.team.title: "),
        ("seats = 1 ", "seats = true ", "plans.free.limits.seats: "),
        ("seats = 1 ", 'seats = "many" ', "plans.free.limits.seats: "),
        ("seats = 1 ", "", "plans.free.limits: says nothing about 'seats'"),
        ("seats = 1 ", "seats = 1, seat = 2 ", "plans.free.limits: 'seat' isn't declared"),
        ("export = true", 'export = "yes"', "plans.team.entitlements.export: "),
        ("export = true", "", "plans.team.entitlements: says nothing about 'export'"),
        ("unit_price = 2", "unit_price = 0.02", "plans.team.meters.calls.unit_price: "),
        ("[plans.team]", "[plans.'Team 1']", "plans.Team 1"),
        ("price = 900", "price = 0", None),
        ("unit_price = 2", "unit_price = 0", None),
    ],
)
def test_a_mistake_is_named_with_its_place(file, good, bad, complaint):
    assert good in GOOD

    if complaint is None:
        assert read(file, GOOD.replace(good, bad))
        return
    with pytest.raises(BadPlans) as refusal:
        read(file, GOOD.replace(good, bad))
    assert str(file) in str(refusal.value)
    assert complaint in str(refusal.value)


def test_only_the_default_plan_is_free(file):
    free = GOOD.replace("price = 900", "price = 0").replace("unit_price = 2", "unit_price = 0")

    with pytest.raises(BadPlans, match=r"plans\.team.price: only the default plan can be free"):
        read(file, free)


def test_every_mistake_is_named_at_once(file):
    with pytest.raises(BadPlans) as refusal:
        read(file, GOOD.replace("price = 900", "price = -1").replace("seats = 1 ", "seats = -1 "))

    assert "plans.team.price" in str(refusal.value)
    assert "plans.free.limits.seats" in str(refusal.value)


@pytest.mark.parametrize("text", ["default = ", "\x00", "[plans.free]\n[plans.free]"])
def test_what_is_no_toml_is_said_so(file, text):
    with pytest.raises(BadPlans, match="isn't TOML"):
        read(file, text)


@pytest.mark.parametrize("text", ["", 'plans = "none"', "plans = { free = 1 }", "[plans]"])
def test_a_file_without_plans_is_refused(file, text):
    assert tomllib.loads(text) is not None

    with pytest.raises(BadPlans, match="is not right"):
        read(file, text)


def test_a_missing_file_is_said_so(tmp_path):
    with pytest.raises(BadPlans, match="can't be read: No such file"):
        load(tmp_path / "plans.toml")
