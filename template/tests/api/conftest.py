"""A small API of the tests' own: the sample feature is the team's, and may be gone."""

import pytest
from flask import Blueprint, Flask
from pydantic import BaseModel

from app.api import Response, spec
from app.auth import requires
from app.idempotency import idempotent
from tests.world import Company, sign_in


class ApiTestsNote(BaseModel):
    """Something to write down."""

    text: str


api = Blueprint("notes_of_the_api_tests", __name__, url_prefix="/api/v1/notes")


@api.post("/")
@requires("members:read")
@idempotent
@spec.validate(resp=Response(HTTP_201=ApiTestsNote), tags=["notes"])
def write(json: ApiTestsNote):
    """Write it down."""
    return json, 201


@api.delete("/<uuid:note_id>")
@requires("members:write")
@spec.validate(resp=Response("HTTP_204"), tags=["notes"])
def forget(note_id):
    """Forget it."""
    return "", 204


@pytest.fixture
def noting(make_app) -> Flask:
    """The application with that API."""
    app = make_app()
    app.register_blueprint(api)
    return app


@pytest.fixture
def guarded(noting: Flask) -> Flask:
    """The same, where forms need their token, as outside the tests."""
    noting.config["WTF_CSRF_ENABLED"] = True
    return noting


@pytest.fixture
def writer(noting: Flask, acme: Company) -> Company:
    """Ada, as that application knows her."""
    return sign_in(noting, acme)
