"""Settings come from the environment; a bad or missing one is refused at start, by its name."""

import json
import os
import re
from collections.abc import Mapping
from datetime import timedelta
from difflib import get_close_matches
from email.utils import parseaddr
from importlib import import_module
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import click
from cryptography.fernet import Fernet
from flask import Flask
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from app import stage

DEVELOPMENT_KEY = "development-only: this key is public"
MADE_BY = "python -c 'import secrets; print(secrets.token_urlsafe(32))'"
FERNET_MADE_BY = (
    "python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
)
# What production can't do without, and why.
REQUIRED = {
    "secret_key": f"the development key is public. Make one with: {MADE_BY}",
    "encryption_keys": f"encrypted columns need one. Make it with: {FERNET_MADE_BY}",
    "public_url": "links in e-mails need it",
    "smtp_url": "without it nobody would get the e-mail that confirms an address or resets a "
    "password",
    "mail_from": "mail servers refuse a sender that doesn't exist",
}
HOST = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
Keys = Annotated[list[str], NoDecode]  # Separated by commas, or JSON.


class BadSettings(SystemExit):
    """The environment doesn't hold what the application needs; the message names what."""


class Settings(BaseSettings):
    """Everything the environment decides. `docs/settings.md` and `.env.example` are made from
    these lines: see `flask settings`."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    app_env: Literal["development", "testing", "production"] = Field(
        "production", description="What this process is for; `flask` sets development."
    )
    secret_key: str = Field(
        DEVELOPMENT_KEY, min_length=16, description="Signs sessions and links. Random, 32 bytes."
    )
    secret_key_fallbacks: Keys = Field(
        [], description="Keys that still verify while you rotate, separated by commas."
    )
    encryption_keys: Keys = Field(
        [], description="Keys of encrypted columns, newest first, separated by commas."
    )
    public_url: str = Field(
        "http://localhost:5000", description="Where people reach the application; for links."
    )
    tenant_domain: str = Field(
        "",
        description="For tenants on subdomains: example.com for acme.example.com. Empty: /t/acme/.",
    )
    trusted_proxies: int = Field(
        0, ge=0, le=9, description="How many proxies in front set X-Forwarded-* headers."
    )
    database_url: str = Field(
        "sqlite:///app.db", description="SQLite (relative to instance/) or PostgreSQL."
    )
    auth_database_url: str = Field("", description="A database of its own for auth.")
    billing_database_url: str = Field("", description="A database of its own for billing.")
    analytics_database_url: str = Field("", description="A database of its own for analytics.")
    features_database_url: str = Field("", description="A database of its own for the features.")
    migrations_database_url: str = Field(
        "",
        description="The owner's URL of DATABASE_URL's database for `flask db`, so that the "
        "application owns no table.",
    )
    redis_url: str = Field(
        "", description="Queue and rate limits in Redis. Empty: a file and each process's memory."
    )
    worker: Literal["embedded", "separate"] = Field(
        "embedded", description="Run jobs inside the web process, or in `flask worker`."
    )
    smtp_url: str = Field(
        "", description="smtp://user:password@host:587 (STARTTLS) or smtps://. Empty: a file."
    )
    mail_from: str = Field("hello@localhost", description="The sender of every e-mail.")
    stripe_secret_key: str = Field("", description="Take payments through Stripe. Empty: local.")
    stripe_webhook_secret: str = Field("", description="Verifies what Stripe tells us.")
    stripe_api_url: str = Field("", description="Another Stripe API address, for tests.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="How much is logged."
    )
    threads: int = Field(4, ge=1, le=64, description="Threads of each gunicorn worker.")
    drain_seconds: float = Field(
        0,
        ge=0,
        le=30,
        description="How long gunicorn, told to stop, first says at /healthz that it leaves.",
    )
    web_concurrency: int = Field(2, ge=1, le=64, description="gunicorn workers.")

    @field_validator("secret_key_fallbacks", "encryption_keys", mode="before")
    @classmethod
    def split_keys(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("["):
            try:
                return json.loads(value)
            except json.JSONDecodeError:
                raise ValueError("must be keys separated by commas") from None
        return [key.strip() for key in value.split(",") if key.strip()]

    @field_validator("encryption_keys")
    @classmethod
    def refuse_what_is_no_key(cls, value: list[str]) -> list[str]:
        for number, key in enumerate(value, start=1):
            try:
                Fernet(key)
            except ValueError:
                raise ValueError(
                    f"key {number} isn't one. Make one with: flask encryption-key"
                ) from None
        return value

    @field_validator(
        "database_url",
        "migrations_database_url",
        "auth_database_url",
        "billing_database_url",
        "analytics_database_url",
        "features_database_url",
    )
    @classmethod
    def refuse_unreadable_urls(cls, value: str) -> str:
        return readable_database_url(value)

    @field_validator("public_url")
    @classmethod
    def refuse_relative_urls(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise ValueError("must be a whole URL such as https://app.example.com")
        if parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError("must end with the host: the application sits at its root")
        return value.rstrip("/")

    @field_validator("stripe_api_url")
    @classmethod
    def refuse_other_addresses(cls, value: str) -> str:
        return of_scheme(value, "https", "http")

    @field_validator("redis_url")
    @classmethod
    def refuse_other_stores(cls, value: str) -> str:
        return of_scheme(value, "redis", "rediss", "unix")

    @field_validator("smtp_url")
    @classmethod
    def refuse_other_servers(cls, value: str) -> str:
        return of_scheme(value, "smtp", "smtps")

    @field_validator("tenant_domain")
    @classmethod
    def refuse_more_than_a_host(cls, value: str) -> str:
        if value and not HOST.fullmatch(value):
            raise ValueError("must be a bare host in lower case, such as example.com")
        return value

    @field_validator("mail_from")
    @classmethod
    def refuse_what_is_no_address(cls, value: str) -> str:
        local, _, domain = parseaddr(value)[1].rpartition("@")
        if not local or not domain or "\n" in value or "\r" in value:
            raise ValueError("must be an address: hello@example.com, or Acme <hello@example.com>")
        return value

    @model_validator(mode="after")
    def refuse_what_does_not_fit_together(self) -> Self:
        host = urlsplit(self.public_url).hostname or ""
        inside = host == self.tenant_domain or host.endswith(f".{self.tenant_domain}")
        if self.tenant_domain and "public_url" in self.model_fields_set and not inside:
            raise ValueError(
                "PUBLIC_URL must be at TENANT_DOMAIN or below it: they share a session."
            )
        if self.stripe_secret_key and not self.stripe_webhook_secret:
            raise ValueError("STRIPE_WEBHOOK_SECRET must be set where STRIPE_SECRET_KEY is.")
        return self

    @model_validator(mode="after")
    def refuse_development_in_production(self) -> Self:
        if not self.in_production:
            return self
        missing = [
            f"{name.upper()} must be set in production: {reason}."
            for name, reason in REQUIRED.items()
            if name not in self.model_fields_set or getattr(self, name) in ("", [], DEVELOPMENT_KEY)
        ]
        if DEVELOPMENT_KEY in self.secret_key_fallbacks:
            missing.append("SECRET_KEY_FALLBACKS holds the development key, which is public.")
        if missing:
            raise ValueError("\n  ".join(missing))
        return self

    @property
    def in_production(self) -> bool:
        return self.app_env == "production"

    @property
    def served(self) -> frozenset[str]:
        """The packages that this process serves: in one process, all."""
        return frozenset({"shared", "auth", "billing", "analytics", "features"})

    @property
    def service(self) -> str:
        """The name of this process among its neighbours."""
        return "app"

    def database_url_of(self, package: str) -> str:
        """The URL of a package's database: its own, or the pooled one."""
        own: str = getattr(self, f"{package}_database_url", "")
        return own or self.database_url

    def migrations_url_of(self, package: str) -> str:
        """The URL that a package's tables are migrated with: the owner's is of the pooled one."""
        url = self.database_url_of(package)
        return (self.migrations_database_url or url) if url == self.database_url else url


def readable_database_url(value: str) -> str:
    """A URL that SQLAlchemy can read, with psycopg 3 for PostgreSQL."""
    if not value:
        return value
    try:
        url = make_url(value)
    except ArgumentError:
        raise ValueError(
            "must be a URL such as postgresql://user:password@host/name or sqlite:///app.db"
        ) from None
    if url.drivername in {"postgres", "postgresql"}:
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in {"sqlite", "postgresql+psycopg"}:
        raise ValueError(f"must be SQLite or PostgreSQL, not {url.drivername}")
    return url.render_as_string(hide_password=False)


def of_scheme(value: str, *schemes: str) -> str:
    """The URL, if it has one of these schemes and says where to; an empty one passes."""
    parts = urlsplit(value)
    if value and (parts.scheme not in schemes or not (parts.hostname or parts.path)):
        raise ValueError(
            f"must be a URL that begins with {' or '.join(f'{s}://' for s in schemes)}"
        )
    return value


def load(**given: object) -> Settings:
    """Read the environment; raises `BadSettings` with a line for each thing to mend."""
    # A developer's own .env must not send mail or take payments from within the tests.
    files = {"_env_file": None} if given.get("app_env") == "testing" else {}
    try:
        settings = settings_class()(**given, **files)  # type: ignore[arg-type]
    except ValidationError as error:
        lines = [describe(problem) for problem in error.errors()]
        raise BadSettings("The settings are not right:\n" + "\n".join(lines)) from None
    for name, meant in misspelt(os.environ).items():
        click.echo(f"{name} is set, but nothing reads it. Did you mean {meant}?", err=True)
    return settings


def settings_class() -> type[Settings]:
    """The settings of the stage that this project has reached."""
    module = stage.module_of("settings")
    found: type[Settings] = import_module(module).Settings if module else Settings
    return found


def misspelt(names: Mapping[str, str]) -> dict[str, str]:
    """Names that are nearly a setting's, with the setting: a typo would pass in silence."""
    known = [name.upper() for name in settings_class().model_fields]
    near = {name: get_close_matches(name, known, 1, 0.87) for name in names if name not in known}
    return {
        name: found[0]
        for name, found in near.items()
        if found and abs(len(name) - len(found[0])) <= 1
    }


def describe(problem: Mapping[str, Any]) -> str:
    """One line for people: the setting and what is wrong with it."""
    name = ".".join(str(part) for part in problem["loc"]).upper()
    text = str(problem["msg"]).removeprefix("Value error, ")
    return f"  {name}: {text}" if name else f"  {text}"


def apply(app: Flask, settings: Settings) -> None:
    """Hand Flask and its extensions the settings that they read themselves."""
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SECRET_KEY_FALLBACKS=settings.secret_key_fallbacks,
        TESTING=settings.app_env == "testing",
        MAX_CONTENT_LENGTH=5 * 1024 * 1024,
        SESSION_COOKIE_NAME="session",
        SESSION_COOKIE_PATH="/",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.public_url.startswith("https://"),
        SESSION_COOKIE_DOMAIN=settings.tenant_domain or None,
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=timedelta(days=14),
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=None,
    )
