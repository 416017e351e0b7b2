"""`flask tenant move` as an operator uses it."""

import json

import pytest

pytestmark = [pytest.mark.postgres, pytest.mark.processes]


def flask(place, *words):
    answer = place.admin.test_cli_runner().invoke(args=["tenant", *words])
    return answer.exit_code, answer.output


def test_there_is_help(system):
    place, _ = system

    assert "--abandon" in flask(place, "move", "--help")[1]
    assert "--json" in flask(place, "moves", "--help")[1]


def test_a_workspace_goes_there_and_the_figures_are_told(system):
    place, _ = system
    place.fill(place.acme, 100)
    place.fill(place.others[0], 100)

    code, said = flask(place, "move", "acme", "--to", "silo", "--longest", "60")

    assert code == 0, said
    assert "Read-only for" in said
    assert place.homes() == ["silo"]
    code, said = flask(place, "moves", "--json")
    (shown,) = json.loads(said)
    assert (shown["state"], shown["from"], shown["to"], shown["warning"]) == (
        "soaking",
        "pool",
        "silo",
        "",
    )
    code, said = flask(place, "move", "acme", "--to", "pool")
    assert code == 1
    assert "--back" in said

    code, said = flask(place, "move", "acme", "--finish")

    assert code == 0, said
    assert "projects: 100 rows deleted" in said
    assert place.counted("pool", mine=False)[0] == 100
    assert place.slots() == []
    code, said = flask(place, "move", "acme", "--to", "silo")
    assert code == 1
    assert "are in the silo already" in said


REFUSED = (
    (("nobody", "--to", "silo"), "No workspace is called"),
    (("acme",), "Say one of"),
    (("acme", "--back", "--finish"), "Say one of"),
    (("acme", "--back"), "Nothing of acme (features) is being moved"),
    (("acme", "--to", "pool"), "are in the pool already"),
)


def test_what_cannot_be_is_refused_in_words(system):
    place, _ = system

    for words, said in REFUSED:
        code, answer = flask(place, "move", *words)

        assert code != 0, words
        assert said in answer
