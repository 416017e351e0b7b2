"""Front doors: what packages ask of each other, answered here or by whoever serves the package.

A function of `app/<package>/calls.py` under `@door` is an ordinary call where this process serves
the package. Where it doesn't, the question goes to the service that does, with the same arguments
and the same answer: they are typed, so the types say how both travel. Then it may raise
`Unavailable`; each door says under `otherwise` what becomes of its callers.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from flask import Flask, current_app

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Door:
    """A question that a package answers: its name, the function, and what callers do without."""

    package: str
    call: Callable[..., Any]
    otherwise: str

    @property
    def name(self) -> str:
        """`auth.names_of`: how the question is known between services."""
        return f"{self.package}.{self.call.__name__}"


DOORS: dict[str, Door] = {}
# A later stage may add to a package from elsewhere: the module, or the package it's in, by name.
ADDED: dict[str, str] = {}


def init_app(app: Flask) -> None:
    app.extensions["serves"] = app.config["SETTINGS"].served


def serves(package: str) -> bool:
    """Whether this process answers for a package, with its tables at hand."""
    return package in current_app.extensions["serves"]


def owner_of(module: str) -> str:
    """The package that a module belongs to: `app.billing.views` is billing's, others are shared."""
    from app.db import PACKAGES

    _, _, rest = module.partition(".")
    package = rest.partition(".")[0]
    if package in PACKAGES:
        return package
    added = (owner for name, owner in ADDED.items() if f"{module}.".startswith(f"{name}."))
    return next(added, "shared")


def door(*, otherwise: str) -> Callable[[Callable[Asked, Answer]], Callable[Asked, Answer]]:
    """Make a function of a package's `calls.py` answerable from every process.

    Its parameters and its answer are annotated with what can travel as JSON: plain values, UUIDs,
    moments, dataclasses, and collections of those. `otherwise` says what callers do while nobody
    answers; the documentation of the doors is made of it.
    """

    def make(call: Callable[Asked, Answer]) -> Callable[Asked, Answer]:
        known = Door(owner_of(call.__module__), call, otherwise)
        DOORS[known.name] = known
        signature = inspect.signature(call)

        @wraps(call)
        def ask(*args: Asked.args, **kwargs: Asked.kwargs) -> Answer:
            if serves(known.package):
                return call(*args, **kwargs)
            given = signature.bind(*args, **kwargs).arguments
            answer: Answer = current_app.extensions["ask"](known, given)
            return answer

        return ask

    return make
