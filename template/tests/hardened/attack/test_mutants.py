"""The suite is worth something: it notices each wall that is taken out."""

from collections.abc import Callable

import pytest

from app.stages.hardened.attack.record import Attack
from tests.hardened.attack import data, database, lines, web, work  # noqa: F401
from tests.hardened.attack.attacks import KINDS
from tests.hardened.attack.field import Field, at_layer
from tests.hardened.attack.mutants import MUTANTS, Mutant
from tests.hardened.attack.paths import PATHS, walked


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_is_noticed(
    field: Field, mutant: Mutant, record_property: Callable[[str, object], None]
):
    if not field.on_postgres and (KINDS[mutant.attack].postgres or mutant.layer == "database"):
        pytest.skip("Only PostgreSQL has this wall.")

    with at_layer(field, mutant.layer), mutant.sabotage(field):
        made = attacked(field, mutant)

    record_property("mutant", (mutant.name, mutant.layer, mutant.attack, len(made.breaches)))
    assert made.breaches, f"“{mutant.name}” lives: “{mutant.attack}” didn't notice."


def attacked(field: Field, mutant: Mutant) -> Attack:
    """The attack that must notice; of the many ways to a row, the one that leads there."""
    if not mutant.way:
        return KINDS[mutant.attack].made_on(field)
    held_by, _ = PATHS[mutant.way]
    assert mutant.layer in held_by, "Nobody holds this way there, so it would show nothing."
    return Attack(mutant.attack, mutant.way, 1, list(walked(field, mutant.way)))


def test_there_are_mutants_of_every_layer():
    assert len(MUTANTS) >= 25
    assert {mutant.layer for mutant in MUTANTS} == {"all", "orm", "database"}
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
