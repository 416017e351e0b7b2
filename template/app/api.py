"""The JSON API's plumbing: what comes in is checked, what is wrong is a problem document.

A feature's `api.py` declares its views with `spec.validate(...)` and pydantic models; the
document at /openapi.json is made from them (`app.openapi`).
"""

from typing import Any

from flask import Flask, Request, current_app
from flask import Response as FlaskResponse
from pydantic import AfterValidator, BaseModel, Field, ValidationError
from spectree import Response, SpecTree
from spectree.plugins.base import Context
from spectree.plugins.flask_plugin import FlaskPlugin
from spectree.utils import get_multidict_items

from app import errors
from app.errors import Refused
from app.forms import INVISIBLE, is_visible

__all__ = ["IfMatch", "NotValid", "OneLine", "Readable", "Response", "spec"]


class NotValid(Refused):
    """The request's body, query or headers aren't what the document says."""

    status = 422
    title = "The request isn't valid"

    def __init__(self, error: ValidationError) -> None:
        super().__init__("Please correct what `errors` lists.")
        self.errors = [
            {"field": ".".join(map(str, problem["loc"])), "message": plain(problem["msg"])}
            for problem in error.errors(include_url=False, include_context=False)
        ]


def plain(message: str) -> str:
    return message.removeprefix("Value error, ")


def readable(text: str) -> str:
    if INVISIBLE.search(text):
        raise ValueError("This has characters in it that can't be shown.")
    return text


def on_one_line(text: str) -> str:
    if len(text.splitlines()) > 1:
        raise ValueError("This must be on one line.")
    if text and not any(map(is_visible, text)):
        raise ValueError("This has nothing in it that can be seen.")
    return readable(text)


# What text must be, in a model:
# `Annotated[str, StringConstraints(min_length=1, max_length=100), OneLine]`.
OneLine = AfterValidator(on_one_line)
Readable = AfterValidator(readable)


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    field: str = Field(description="Its name, with dots between levels; empty for the whole.")
    message: str


class Problem(BaseModel):
    """Why something wasn't done (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str = Field(description="Name it when you ask us about the problem.")
    errors: list[FieldProblem] = Field([], description="What is wrong with the request, by field.")


class IfMatch(BaseModel):
    """Headers of a change that is only made if nobody else made one meanwhile."""

    if_match: str = Field("", alias="If-Match", description="The ETag of what you have read.")


class Door(FlaskPlugin):
    """How spectree meets Flask here: strict about JSON, and no slower than it must be."""

    def request_validation(
        self, request: Request, query: Any, json: Any, form: Any, headers: Any, cookies: Any
    ) -> None:
        """Check a request. A body that isn't JSON, or not marked so, is never taken for empty."""
        args = get_multidict_items(request.args, query)
        request.context = Context(  # type: ignore[attr-defined]
            query=query.model_validate(args) if query else None,
            json=json.model_validate(request.get_json()) if json else None,
            form=None,
            headers=headers.model_validate(dict(request.headers)) if headers else None,
            cookies=None,
        )

    def validate_response(self, resp: Any, resp_model: Any, skip: bool, force: bool) -> Any:
        """Tests check every answer against its model; production doesn't pay for that."""
        if not current_app.testing and isinstance(resp, FlaskResponse):
            return resp, None
        return super().validate_response(resp, resp_model, skip or not current_app.testing, force)

    def get_func_operation_id(self, func: Any, path: str, method: str) -> str:
        """Names such as `projects_create`: the package and the view."""
        *_, package, module = func.__module__.split(".")
        return f"{module if package == 'app' else package}_{func.__name__}"


class NameTaken(SystemExit):
    """Two models of the API have one name, and its clients couldn't tell them apart."""


NAMES: dict[str, type[BaseModel]] = {}


def name_of(model: type[BaseModel]) -> str:
    """A model's name in the document is its own, so there can be only one of it."""
    known = NAMES.setdefault(model.__name__, model)
    if known is not model:
        raise NameTaken(
            f"Two models of the API are called {model.__name__}: rename the one in "
            f"{known.__module__} or the one in {model.__module__}."
        )
    return model.__name__


def refuse_invalid(_req: Any, _resp: Any, error: Any, _instance: Any, _adapter: Any) -> None:
    if error:
        raise NotValid(error)


def keep_quiet(_req: Any, _resp: Any, error: Any, _instance: Any, _adapter: Any) -> None:
    if error:
        raise error


spec = SpecTree(
    backend=Door,
    annotations=True,
    mode="strict",
    before=refuse_invalid,
    after=keep_quiet,
    naming_strategy=name_of,
    nested_naming_strategy=lambda _parent, child: child,
    validation_error_model=Problem,
)


def init_app(app: Flask) -> None:
    app.register_error_handler(NotValid, answer_not_valid)


def answer_not_valid(refusal: NotValid) -> FlaskResponse:
    return errors.problem(refusal.status, refusal.title, str(refusal), errors=refusal.errors)
