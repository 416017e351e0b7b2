"""`flask rollout`: the commands, each from the module of its subject."""

from app.stages.services.rollout import (
    checking,
    demo,
    following,
    releases,
    rolling,
    showing,
)
from app.stages.services.rollout.opening import cli

__all__ = ["checking", "cli", "demo", "following", "releases", "rolling", "showing"]
