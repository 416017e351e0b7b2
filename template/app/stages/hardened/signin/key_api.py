"""The API of API keys: one's own, and everybody's for who may see them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from flask import Blueprint, Flask, current_app
from flask_login import current_user
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from spectree import Response

from app.access import requires
from app.api import OneLine, spec
from app.db import db
from app.stages.hardened.signin import keys

api = Blueprint("signin_api", __name__, url_prefix="/api/v1")

Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80), OneLine
]


class KeyWanted(BaseModel):
    """What it takes to make a key."""

    name: Name
    scopes: list[str] = Field(
        min_length=1, max_length=200, description="Permissions of one's own that it has."
    )
    days: int | None = Field(None, ge=1, le=3650, description="How long it's good.")


class KeyShown(BaseModel):
    """A key: how it begins, whose it is, what it opens, and until when."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    prefix: str
    person: str
    scopes: list[str] | None = Field(description="None: all that its person may do.")
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None


class KeysShown(BaseModel):
    """Keys, newest first."""

    items: list[KeyShown]


class KeyMade(BaseModel):
    """A new key, and its text, which is shown this once."""

    token: str
    key: KeyShown


def init_app(app: Flask) -> None:
    app.register_blueprint(api)


@api.get("/me/keys")
@requires("tokens:write")
@spec.validate(resp=Response(HTTP_200=KeysShown), tags=["keys"])
def my_keys():
    """List one's own keys for this workspace."""
    return shown(keys.of(current_user.id))


@api.post("/me/keys")
@requires("tokens:write")
@spec.validate(resp=Response(HTTP_201=KeyMade), tags=["keys"])
def make_key(json: KeyWanted):
    """Make a key. It has no more than its maker's permissions, and lasts no longer than the key
    that makes it."""
    days = json.days or current_app.config["SETTINGS"].api_key_days
    token, key = keys.make(json.name, json.scopes, days)
    db.session.commit()
    return KeyMade(token=token, key=KeyShown.model_validate(key)), 201


@api.delete("/me/keys/<uuid:key_id>")
@requires("tokens:write")
@spec.validate(resp=Response("HTTP_204"), tags=["keys"])
def end_my_key(key_id: UUID):
    """End one of one's own keys."""
    keys.end(key_id)
    db.session.commit()
    return "", 204


@api.get("/members/keys")
@requires("keys:write")
@spec.validate(resp=Response(HTTP_200=KeysShown), tags=["keys"])
def everybodys_keys():
    """List everybody's keys for this workspace."""
    return shown(keys.of())


@api.delete("/members/keys/<uuid:key_id>")
@requires("keys:write")
@spec.validate(resp=Response("HTTP_204"), tags=["keys"])
def end_anybodys_key(key_id: UUID):
    """End anybody's key."""
    keys.end(key_id)
    db.session.commit()
    return "", 204


def shown(found: list[keys.Key]) -> KeysShown:
    return KeysShown(items=[KeyShown.model_validate(key) for key in found])
