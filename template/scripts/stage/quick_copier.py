"""Copier's own command, which compiles each of its small templates once.

Copier makes a Jinja template of each part of each path, so that a render compiles `app` and
`tests` some thousand times, which is two fifths of a climb. A template doesn't change once it's
made, so it's kept here. Without this, Copier does the same and takes longer.
"""

import runpy
from functools import lru_cache
from typing import Any

from jinja2 import Environment, Template

compiled_anew = Environment.from_string


@lru_cache(maxsize=10_000)
def compiled(environment: Environment, source: str) -> Template:
    return compiled_anew(environment, source)


def from_string(self: Environment, source: Any, *more: Any, **named: Any) -> Template:
    if more or named or not isinstance(source, str):
        return compiled_anew(self, source, *more, **named)
    return compiled(self, source)


Environment.from_string = from_string  # type: ignore[method-assign]

if __name__ == "__main__":
    runpy.run_module("copier", run_name="__main__", alter_sys=True)
