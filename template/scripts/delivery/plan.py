"""What a Terraform plan would do, in few words, and a fingerprint of it.

A plan file holds secrets, so it isn't handed from the job that shows it to the job that applies
it. The second makes its own plan, and applies it only if it has the fingerprint that was approved.
"""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

# Who destroys these loses data.
HOLD_DATA = (
    "aws_db_instance",
    "aws_ecr_repository",
    "aws_elasticache_replication_group",
    "aws_elasticache_serverless_cache",
    "aws_kms_key",
    "aws_rds_cluster",
    "aws_s3_bucket",
    "aws_secretsmanager_secret",
)
WORDS = {"create": "add", "update": "change", "delete": "destroy"}


@dataclass(frozen=True)
class Change:
    """What becomes of one resource."""

    address: str
    kind: str
    actions: tuple[str, ...]
    after: str

    @property
    def what(self) -> str:
        return "replace" if len(self.actions) == 2 else WORDS.get(self.actions[0], self.actions[0])

    @property
    def loses_data(self) -> bool:
        return "delete" in self.actions and self.kind in HOLD_DATA


def changes_in(plan: dict[str, Any]) -> list[Change]:
    """The changes of `terraform show -json`, without what stays as it is."""
    found = [
        Change(
            address=change["address"],
            kind=change["type"],
            actions=tuple(change["change"]["actions"]),
            after=json.dumps(change["change"].get("after"), sort_keys=True),
        )
        for change in plan.get("resource_changes", [])
    ]
    doing = [change for change in found if change.actions not in {("no-op",), ("read",)}]
    return sorted(doing, key=lambda change: change.address)


def fingerprint(changes: list[Change]) -> str:
    """The same for two plans that do the same to the same resources."""
    lines = [[change.address, change.actions, change.after] for change in changes]
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()[:16]


def summary(changes: list[Change]) -> str:
    """In Markdown, for the job's page. Values are left out: they may be secret."""
    if not changes:
        return "Nothing would change."
    counted = Counter(change.what for change in changes)
    lines = [", ".join(f"{number} to {what}" for what, number in sorted(counted.items())), ""]
    lines += [f"- {change.what} `{change.address}`{warning(change)}" for change in changes]
    return "\n".join([*lines, "", f"Fingerprint: `{fingerprint(changes)}`"])


def warning(change: Change) -> str:
    return " — **what it holds would be lost**" if change.loses_data else ""


def unexpected_losses(changes: list[Change], allowed: list[str]) -> list[str]:
    """The addresses whose data would be lost though nobody said that it may."""
    return [
        change.address for change in changes if change.loses_data and change.address not in allowed
    ]
