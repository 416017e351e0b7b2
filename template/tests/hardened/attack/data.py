"""Attacks on the data themselves: every way to every model's rows, and what lies beside them."""

from app.stages.hardened.attack.record import Attack
from tests.hardened.attack.attacks import attack
from tests.hardened.attack.field import Field
from tests.hardened.attack.paths import PATHS, targets, walked


@attack("ways to a row", layers=("all", "orm", "database"))
def ways_to_a_row(field: Field, record: Attack) -> None:
    """Every way that SQLAlchemy knows to a row of theirs, for every model there is."""
    models = len(list(targets(field)))
    for name, (held_by, _) in PATHS.items():
        held = field.layer in held_by or (field.layer == "all" and held_here(field, held_by))
        if held:
            record.tried(models)
            record.breaches += walked(field, name)


def held_here(field: Field, held_by: set[str]) -> bool:
    """SQLite has no walls of its own: there, what only the database holds isn't held."""
    return field.on_postgres or "orm" in held_by
