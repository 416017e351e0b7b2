"""Where the passwords of targets are: a target names the place, and never holds a password.

    derived:<master>:<version>   made from SILO_SECRET by HKDF, so nothing is stored at all
    env:NAME                     NAME and NAME_OWNER in the environment
    aws-secretsmanager:ARN       a secret with {"password": ..., "owner_password": ...}

Each target has two: of the role that the service works as, and of the owner of its tables. A
service finds the first; tools that make, migrate and move find both.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Literal

import orjson
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from flask import Flask, current_app

from app.errors import Refused
from app.settings import MADE_BY
from app.stages.hardened.catalog.places import SILOED, Target

Role = Literal["app", "owner"]
Find = Callable[[Target, str, Role], str]
SECONDS_TO_AWS = 3


class NoSecret(Refused):
    """A target's password can't be found. The message names what is missing, and no secret."""

    title = "A password isn't known here"


def password_of(target: Target, role: Role = "app") -> str:
    """The password of one of a target's roles. Raises `NoSecret`."""
    kind, _, rest = target.secret_ref.partition(":")
    if kind not in FINDERS or not rest:
        raise NoSecret(
            f"“{target.name}” says {kind!r} of its password.",
            hint=f"It must begin with {', '.join(f'{one}:' for one in FINDERS)}.",
        )
    return FINDERS[kind](target, rest, role)


# --- Derived -------------------------------------------------------------------------------------


def new_ref(service: str, version: int = 1) -> str:
    """What a new target of a service says, or one whose passwords are changed to a version."""
    newest = masters(current_app._get_current_object(), service)[0]  # type: ignore[attr-defined]
    return f"derived:{fingerprint(newest)}:{version}"


def next_ref(target: Target) -> str:
    """What it says after its passwords were changed, with the newest SILO_SECRET."""
    kind, _, rest = target.secret_ref.partition(":")
    version = rest.rpartition(":")[2]
    known = int(version) if kind == "derived" and version.isdecimal() else 0
    return new_ref(target.service, known + 1)


def next_password(target: Target, role: Role = "app") -> str:
    """What it will be after the next change; empty where that can't be known here.

    PostgreSQL knows one password of a role at a time. Between the change there and the word of
    the catalog, this is the one that opens.
    """
    try:
        return password_of(replace(target, secret_ref=next_ref(target)), role)
    except NoSecret:
        return ""


def derived(target: Target, rest: str, role: Role) -> str:
    name, _, version = rest.partition(":")
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    for master in masters(app, target.service):
        if fingerprint(master) == name:
            return derive(master, target.service, target.database, role, version)
    raise NoSecret(
        f"The password of “{target.name}” comes from a SILO_SECRET that isn't here.",
        hint=f"{setting_of(app, target.service)} must hold the one it was made with.",
    )


@lru_cache(4096)
def derive(master: str, service: str, database: str, role: Role, version: str) -> str:
    info = f"silo\0{service}\0{database}\0{role}\0{version}".encode()
    return HKDF(SHA256(), 32, None, info).derive(master.encode()).hex()


def fingerprint(master: str) -> str:
    """Which secret it was, without a way back to it."""
    return HKDF(SHA256(), 4, None, b"silo fingerprint").derive(master.encode()).hex()


def masters(app: Flask, service: str) -> list[str]:
    """The secrets that a service's passwords may come from, newest first. Raises `NoSecret`."""
    settings = app.config["SETTINGS"]
    given: list[str] = list(getattr(settings, f"{service}_silo_secret", []))
    if settings.serves == service:
        given += settings.silo_secret
    if not given and not settings.in_production:
        return [hashlib.sha256(f"silos:{settings.secret_key}:{service}".encode()).hexdigest()]
    if not given:
        raise NoSecret(
            f"The passwords of {service}'s silos can't be made here.",
            hint=f"Set {setting_of(app, service)}. A new one: {MADE_BY}",
        )
    return given


def setting_of(app: Flask, service: str) -> str:
    """The setting that holds a service's secrets, in this process."""
    own = app.config["SETTINGS"].serves == service or service not in SILOED
    return "SILO_SECRET" if own else f"{service.upper()}_SILO_SECRET"


# --- Kept elsewhere ------------------------------------------------------------------------------


def from_environment(target: Target, name: str, role: Role) -> str:
    name = name if role == "app" else f"{name}_OWNER"
    found = os.environ.get(name)
    if not found:
        raise NoSecret(f"The password of “{target.name}” isn't here.", hint=f"Set {name}.")
    return found


def from_secrets_manager(target: Target, arn: str, role: Role) -> str:
    """What AWS Secrets Manager keeps; asked each time that connections are opened anew."""
    field = "password" if role == "app" else "owner_password"
    try:
        found = orjson.loads(
            secrets_manager(region_of(arn)).get_secret_value(SecretId=arn)["SecretString"]
        )
        password = found[field]
    except Exception as error:  # boto3's are many; all of them mean that there is no password.
        raise NoSecret(
            f"AWS Secrets Manager doesn't tell the password of “{target.name}”: {error}",
            hint=f"{arn} must be a secret with {field}, and readable for this process.",
        ) from error
    return str(password)


def region_of(arn: str) -> str | None:
    """The region in arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME; a mere name has none."""
    parts = arn.split(":")
    return parts[3] if arn.startswith("arn:") and len(parts) > 3 else None


def secrets_manager(region: str | None):
    import boto3  # It takes half a second to import, and few need it.
    from botocore.config import Config

    patience = Config(
        connect_timeout=SECONDS_TO_AWS,
        read_timeout=SECONDS_TO_AWS,
        retries={"total_max_attempts": 2},
    )
    return boto3.client("secretsmanager", region_name=region, config=patience)


FINDERS: dict[str, Find] = {
    "derived": derived,
    "env": from_environment,
    "aws-secretsmanager": from_secrets_manager,
}
