"""How a door's question travels: its signature says what goes over the wire, and how it's read."""

from collections.abc import Callable, Iterator
from functools import cache
from inspect import Parameter, signature
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter, create_model

from app.doors import Door


def path_of(door: Door) -> str:
    """Where a service answers this question to its neighbours."""
    return f"/internal/{door.package}/{door.call.__name__}"


@cache
def arguments_of(door: Door) -> type[BaseModel]:
    """The arguments of a door as a model: what it doesn't know, it refuses."""
    hints = get_type_hints(door.call)
    fields: dict[str, Any] = {
        name: (hints[name], ... if given.default is Parameter.empty else given.default)
        for name, given in signature(door.call).parameters.items()
    }
    return create_model(door.name, __config__=ConfigDict(extra="forbid"), **fields)


@cache
def answer_of(door: Door) -> TypeAdapter[Any]:
    """The answer of a door, as it's written and read."""
    return TypeAdapter(as_it_travels(get_type_hints(door.call)["return"]))


def as_it_travels(kind: Any) -> Any:
    """An iterator travels as a list: whole, so it's for thousands of values, not for millions."""
    return list[get_args(kind)[0]] if get_origin(kind) is Iterator else kind  # type: ignore[misc]


def given_back(door: Door, answer: Any) -> Any:
    """The answer as the caller knows it from the signature."""
    return iter(answer) if get_origin(get_type_hints(door.call)["return"]) is Iterator else answer


def question(door: Door, arguments: dict[str, Any]) -> bytes:
    """What is sent."""
    return arguments_of(door)(**arguments).model_dump_json().encode()


def answered(door: Door, body: bytes) -> bytes:
    """What is sent back to a question. Raises pydantic's `ValidationError`."""
    asked = arguments_of(door).model_validate_json(body)
    call: Callable[..., Any] = door.call
    answer = call(**{name: getattr(asked, name) for name in type(asked).model_fields})
    adapter = answer_of(door)
    return adapter.dump_json(list(answer) if isinstance(answer, Iterator) else answer)
