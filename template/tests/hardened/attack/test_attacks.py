"""Nothing comes through, whatever is tried, with all walls and with each layer alone."""

from collections.abc import Callable

import pytest

from tests.hardened.attack import data, database, lines, web, work  # noqa: F401
from tests.hardened.attack.attacks import KINDS
from tests.hardened.attack.field import Field, at_layer, bypassing
from tests.hardened.attack.layers import without_the_orms_walls
from tests.hardened.attack.paths import PATHS, walked

CASES = [(name, layer) for name, kind in KINDS.items() for layer in kind.layers]


@pytest.mark.parametrize(("name", "layer"), CASES)
def test_nothing_comes_through(
    field: Field, name: str, layer: str, record_property: Callable[[str, object], None]
):
    kind = KINDS[name]
    if not field.on_postgres and (kind.postgres or layer == "database"):
        pytest.skip("Only PostgreSQL has these walls.")

    with at_layer(field, layer):
        made = kind.made_on(field)

    record_property("attack", (name, layer, made.tries, len(made.breaches)))
    assert made.tries, "Nothing was tried."
    assert made.breaches == [], "\n" + "\n".join(made.breaches)


def test_each_way_leads_to_a_row_where_there_are_no_walls(field: Field):
    """Or the attack would only show that it doesn't work."""
    if not field.on_postgres:
        pytest.skip("The walls of the database are taken down here, too.")

    with bypassing(field.app, field.server), without_the_orms_walls():
        useless = [name for name in PATHS if not leads_to_theirs(field, name)]

    assert useless == [], useless


def leads_to_theirs(field: Field, name: str) -> bool:
    found = list(walked(field, name))
    field.refill()
    return bool(found)
