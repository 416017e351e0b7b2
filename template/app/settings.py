"""Settings come from the environment; a bad or missing one is refused at start, by its name."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from flask import Flask
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

DEVELOPMENT_KEY = "development-only: this key is public"


class BadSettings(SystemExit):
    """The environment doesn't hold what the application needs; the message names what."""


class Settings(BaseSettings):
    """Everything the environment decides. `docs/settings.md` is made from these lines."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True)

    app_env: Literal["development", "testing", "production"] = Field(
        "production", description="What this process is for; `flask` sets development."
    )
    secret_key: str = Field(
        DEVELOPMENT_KEY, min_length=16, description="Signs sessions and links. Random, 32 bytes."
    )
    secret_key_fallbacks: list[str] = Field(
        [], description='Keys that still verify while you rotate, as JSON: ["old"].'
    )
    encryption_keys: list[str] = Field(
        [], description="Keys of encrypted columns, newest first, as JSON of Fernet keys."
    )
    public_url: str = Field(
        "http://localhost:5000", description="Where people reach the application; for links."
    )
    tenant_domain: str = Field(
        "", description="Set for tenants on subdomains: acme.<domain>. Empty: /t/acme/."
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
        "", description="The owner's URL for `flask db`, so that the application owns no table."
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
    web_concurrency: int = Field(2, ge=1, le=64, description="gunicorn workers.")

    @field_validator("database_url", "migrations_database_url", "auth_database_url")
    @classmethod
    def refuse_unreadable_urls(cls, value: str) -> str:
        return readable_database_url(value)

    @field_validator("billing_database_url", "analytics_database_url", "features_database_url")
    @classmethod
    def refuse_unreadable_package_urls(cls, value: str) -> str:
        return readable_database_url(value)

    @field_validator("public_url")
    @classmethod
    def refuse_relative_urls(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise ValueError("must be a whole URL such as https://app.example.com")
        return value.rstrip("/")

    @model_validator(mode="after")
    def refuse_development_in_production(self) -> Self:
        if self.app_env != "production":
            return self
        if self.secret_key == DEVELOPMENT_KEY:
            raise ValueError(
                "SECRET_KEY must be set in production: the development key is public. "
                "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
            )
        if not self.encryption_keys:
            raise ValueError(
                "ENCRYPTION_KEYS must be set in production. Make one with: flask encryption-key"
            )
        if "public_url" not in self.model_fields_set:
            raise ValueError("PUBLIC_URL must be set in production: links in e-mails need it.")
        if self.stripe_secret_key and not self.stripe_webhook_secret:
            raise ValueError("STRIPE_WEBHOOK_SECRET must be set where STRIPE_SECRET_KEY is.")
        return self

    @property
    def in_production(self) -> bool:
        return self.app_env == "production"

    def database_url_of(self, package: str) -> str:
        """The URL of a package's database: its own, or the pooled one."""
        own: str = getattr(self, f"{package}_database_url", "")
        return own or self.database_url


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


def load(**given: object) -> Settings:
    """Read the environment; raises `BadSettings` with a line for each thing to mend."""
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        lines = [describe(problem) for problem in error.errors()]
        raise BadSettings("The settings are not right:\n" + "\n".join(lines)) from None


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
