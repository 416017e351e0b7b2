"""Doing an operation, from a command or from a job: begin it or go on with it, to its end."""

from importlib import import_module
from typing import Any
from uuid import UUID

from app.stages.hardened.lifecycle import ledger, running
from app.stages.hardened.lifecycle.models import Operation
from app.stages.hardened.lifecycle.running import Say, ignore

# The modules that say what operations consist of.
KINDS = (
    "archive.operations",
    "suspending",
    "creating",
    "rotating",
    "deletion.operations",
    "placement.operations",
)


def load_kinds() -> None:
    for module in KINDS:
        import_module(f"{__package__}.{module}")


def perform(
    kind: str,
    tenant_id: UUID,
    slug: str,
    operator: str,
    *,
    key: str = "",
    say: Say = ignore,
    **asked: Any,
) -> Operation:
    """Begin an operation, or go on with it where the same was begun before; answers its row."""
    return go_on(ledger.begin(kind, tenant_id, slug, operator, key, **asked), say)


def go_on(operation_id: UUID, say: Say = ignore) -> Operation:
    """Go on with an operation where it is."""
    load_kinds()
    return running.go_on(operation_id, say)
