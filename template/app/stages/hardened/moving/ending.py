"""The end of a move: what was made for it goes, and so do the rows where nobody serves them."""

from collections.abc import Callable
from typing import Any

from app.stages.hardened.moving import fence
from app.stages.hardened.moving.errors import Undecided
from app.stages.hardened.moving.mover import Mover
from app.stages.hardened.moving.purging import purge
from app.stages.hardened.moving.requirements import same_tables

DropSilo = Callable[[], None]


def finish(mover: Mover, drop_silo: DropSilo) -> dict[str, Any]:
    """Take the way back down, and the tenant's rows out of the source; answers what went.

    Refuses unless the target serves: the rows that go must not be the ones in use.
    """
    with mover.both() as (source, target):
        found = fence.placement(target, mover.route.tenant_id)
        if found is None or found[0] != "active":
            raise Undecided(
                f"{mover.route.target.shown} doesn't serve this workspace.",
                hint="Nothing was deleted. Run the move to its end first.",
            )
        mover.undo_replication(source, target)
        mover.reached("replication gone")
        if mover.route.source.kind == "pool":
            tables = same_tables(source, source, mover.route.service)
            gone = purge(source, tables, mover.route.tenant_id, mover.seen("deleted"))
            return {"purged": gone}
    drop_silo()
    return {"dropped": mover.route.source.shown}


def abandon(mover: Mover, drop_silo: DropSilo) -> None:
    """Give a move up before its switch: the source never stopped serving."""
    mover.settle()
    if "switch" in mover.notes.done:
        raise Undecided(
            "The workspace is served at its new place already.",
            hint="Take it back: flask tenant move SLUG --back",
        )
    with mover.both() as (source, target):
        mover.undo_replication(source, target)
        if mover.route.target.kind == "pool":
            tables = same_tables(target, target, mover.route.service)
            purge(target, tables, mover.route.tenant_id, mover.seen("deleted"))
            return
    drop_silo()
