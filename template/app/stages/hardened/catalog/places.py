"""What the catalog says, as values that can travel: targets, placements, and a tenant's entry."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

STATES = ("provisioning", "active", "suspended", "moving", "deleting", "deleted")
# While a tenant is moved it's served: the fence in its database stops what must wait.
SERVED = ("active", "moving")
KINDS = ("silo", "account")
# Who somebody is and which workspaces there are isn't a tenant's alone: auth is in one place.
SILOED = ("features", "billing", "analytics")
POOL = "pool"


@dataclass(frozen=True, slots=True)
class Target:
    """A place for one tenant's rows of a service, outside of the pool.

    `secret_ref` names where the passwords of its two roles are: see `passwords.py`.
    """

    name: str
    service: str
    kind: str
    host: str
    port: int
    database: str
    role: str
    owner_role: str
    secret_ref: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a tenant's rows of a service are: in the pool (no target), or at a target."""

    target: Target | None = None
    epoch: int = 0
    state: str = "active"

    @property
    def kind(self) -> str:
        """pool, silo or account."""
        return self.target.kind if self.target else POOL

    @property
    def name(self) -> str:
        """The name of the target; `pool` for the pool."""
        return self.target.name if self.target else POOL

    @property
    def is_pool(self) -> bool:
        """Whether the rows are where everybody's are."""
        return self.target is None


@dataclass(frozen=True, slots=True)
class Entry:
    """All that the catalog says of a tenant."""

    tenant_id: UUID
    state: str = "active"
    reason: str = ""
    tier: str = ""
    region: str = ""
    release: str = ""
    version: int = 0
    placements: dict[str, Placement] = field(default_factory=dict)

    @property
    def is_served(self) -> bool:
        """Whether people, programs and jobs may work in it."""
        return self.state in SERVED

    def place_of(self, service: str) -> Placement:
        """Where its rows of a service are."""
        return self.placements.get(service, Placement(state=self.state))
