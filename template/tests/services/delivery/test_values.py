"""Releases side by side: one is added, gets everybody, and the one before it stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.delivery import Refused
from scripts.delivery.values import add, drop, finish

IMAGE = "1.dkr.ecr.eu-central-1.amazonaws.com/app@sha256:"


def image(release: str) -> str:
    return IMAGE + release[-1] * 64


def with_releases(*names: str):
    values = None
    for name in names:
        values = add(values, name, image(name))
    return values


def test_the_first_release_answers_everybody():
    values = add(None, "r-1", image("1"))

    assert values == {
        "releases": {"r-1": {"image": image("1")}},
        "defaultRelease": "r-1",
        "workersRelease": "r-1",
        "migrationsRelease": "r-1",
    }


def test_a_release_comes_beside_the_one_that_answers():
    values = add(with_releases("r-1"), "r-2", image("2"))

    assert set(values["releases"]) == {"r-1", "r-2"}
    assert values["defaultRelease"] == values["workersRelease"] == "r-1"
    assert values["migrationsRelease"] == "r-2"


def test_a_release_without_a_pointer_to_it_answers_all_the_same():
    """As the chart takes it: where there is one, it's that."""
    values = add({"releases": {"r-1": {"image": image("1")}}}, "r-2", image("2"))

    assert values["defaultRelease"] == "r-1"


def test_other_values_are_left_to_their_files():
    values = add({"settings": {"PUBLIC_URL": "https://app.example.com"}}, "r-1", image("1"))

    assert "settings" not in values


def test_adding_a_release_again_changes_nothing():
    values = with_releases("r-1", "r-2")

    assert add(values, "r-2", image("2")) == values


def test_a_release_never_becomes_another_image():
    with pytest.raises(Refused, match=r"r-1 is .* already"):
        add(with_releases("r-1"), "r-1", image("2"))


def test_more_than_three_do_not_stand_side_by_side():
    with pytest.raises(Refused, match=r"and drop it: r-2, r-3\."):
        with_releases("r-1", "r-2", "r-3", "r-4")


@pytest.mark.parametrize("name", ["app:latest", "app", "app@sha256:abc", f"{IMAGE}{'g' * 64}"])
def test_an_image_is_named_by_its_digest(name):
    with pytest.raises(Refused, match="by its digest"):
        add(None, "r-1", name)


def test_who_answers_is_never_guessed():
    two = {"releases": {name: {"image": image(name)} for name in ("r-1", "r-2")}}

    with pytest.raises(Refused, match="none is the default"):
        add(two, "r-3", image("3"))


def test_the_release_before_stays_and_older_ones_go():
    values = finish(with_releases("r-1", "r-2"), "r-2")
    values = finish(add(values, "r-3", image("3")), "r-3")

    assert set(values["releases"]) == {"r-2", "r-3"}
    assert values["defaultRelease"] == values["workersRelease"] == "r-3"


def test_finishing_twice_keeps_the_way_back():
    once = finish(with_releases("r-1", "r-2"), "r-2")

    assert set(finish(once, "r-2")["releases"]) == {"r-1", "r-2"}


def test_a_release_that_was_rolled_back_is_dropped():
    values = drop(with_releases("r-1", "r-2"), "r-2")

    assert values == with_releases("r-1")


def test_the_release_that_answers_is_not_dropped():
    with pytest.raises(Refused, match="r-1 is the defaultRelease"):
        drop(with_releases("r-1", "r-2"), "r-1")


@pytest.mark.parametrize("step", [finish, drop])
def test_a_release_that_is_not_there_is_named_with_those_that_are(step):
    with pytest.raises(Refused, match=r"'r-9' isn't deployed here\. Deployed are: r-1, r-2"):
        step(with_releases("r-1", "r-2"), "r-9")


steps = st.lists(st.tuples(st.sampled_from([add, finish, drop]), st.sampled_from("abcd")))


@given(steps)
def test_whatever_is_done_somebody_always_answers(done):
    values = with_releases("r-1")
    for step, letter in done:
        arguments = (f"r-{letter}", *((image(letter),) if step is add else ()))
        try:
            values = step(values, *arguments)
        except Refused:
            continue
        pointers = ("defaultRelease", "workersRelease", "migrationsRelease")
        assert {values[pointer] for pointer in pointers} <= set(values["releases"])
