"""`flask tenant`, with the commands of every module that brings some."""

from importlib import import_module

from app.stages.hardened.lifecycle import COMMANDS
from app.stages.hardened.lifecycle.group import cli

__all__ = ["cli"]

for module in COMMANDS:
    import_module(module)
