"""The settings that the hardened stage adds to those of the services."""

from typing import Self

from pydantic import Field, field_validator, model_validator

from app.settings import MADE_BY, Keys, readable_database_url
from app.stages.hardened.throttle.allowances import Allowance, of_plans
from app.stages.services.settings import Settings as Services

LEAST_SECRET = 32


class Settings(Services):
    """What the walls, the catalog and signing in need to know."""

    # --- Tenants that operators look after (lifecycle) -------------------------------------------

    operators: Keys = Field(
        [],
        description="Who may look after all workspaces: e-mail addresses, separated by commas. "
        "Empty: nobody, but whoever has a shell.",
    )
    most_tenants: int = Field(
        100_000, ge=1, description="How many workspaces operators may make here."
    )
    silos_per_server: int = Field(
        100, ge=1, le=10_000, description="How many silos the server that has them takes."
    )
    largest_archive_mb: int = Field(
        200,
        ge=1,
        le=10_000,
        description="How large an archive may be that operators send, in MB. GATEWAY_MAX_BODY must "
        "let it through.",
    )
    most_own_servers: int = Field(
        50,
        ge=0,
        description="How many workspaces may have a server or a cloud account of their own.",
    )

    # --- Signing in -------------------------------------------------------------------------------

    session_hours: int = Field(
        336, ge=1, le=336, description="How long a session lasts at most, in hours."
    )
    session_idle_hours: int = Field(
        336, ge=1, le=336, description="How long a session may go unused, in hours."
    )
    api_key_days: int = Field(
        90, ge=1, le=3650, description="How long an API key is good unless its maker says else."
    )
    api_key_max_days: int = Field(
        365, ge=1, le=3650, description="How long an API key may be good at most."
    )

    @field_validator("operators", mode="before")
    @classmethod
    def split_operators(cls, value: object) -> object:
        return cls.split_keys(value)

    @field_validator("operators")
    @classmethod
    def refuse_what_is_no_operators_address(cls, value: list[str]) -> list[str]:
        for one in value:
            name, at, host = one.partition("@")
            if not (name and at and "." in host) or " " in one:
                raise ValueError(f"{one!r} isn't an e-mail address")
        return value

    # --- Where tenants' rows are (catalog) -------------------------------------------------------

    auth_migrations_database_url: str = Field(
        "", description="auth's database as the owner of its tables, for tools."
    )
    billing_migrations_database_url: str = Field(
        "", description="billing's database as the owner of its tables, for tools."
    )
    analytics_migrations_database_url: str = Field(
        "", description="analytics' database as the owner of its tables, for tools."
    )
    features_migrations_database_url: str = Field(
        "", description="The features' database as the owner of its tables, for tools."
    )
    silo_admin_database_url: str = Field(
        "",
        description="The server on which silos are made, as somebody who may make roles and "
        "databases there.",
    )
    pool_admin_database_url: str = Field(
        "",
        description="The server of the pools, as somebody who may replicate their tables (see "
        "docs/hardened/moving.md). Empty: as SILO_ADMIN_DATABASE_URL says, if it's one server; "
        "else the owner of each pool.",
    )
    silo_secret: Keys = Field(
        [],
        description="What the passwords of this service's silos are derived from, newest first. "
        "In development SECRET_KEY stands in.",
    )
    billing_silo_secret: Keys = Field(
        [], description="SILO_SECRET of billing, for tools that make and move its silos."
    )
    analytics_silo_secret: Keys = Field(
        [], description="SILO_SECRET of analytics, for tools that make and move its silos."
    )
    features_silo_secret: Keys = Field(
        [], description="SILO_SECRET of the features, for tools that make and move their silos."
    )
    support_address: str = Field(
        "",
        description="Whom people ask whose workspace is suspended or being deleted. Empty: "
        "MAIL_FROM.",
    )
    silo_pools: int = Field(
        50,
        ge=1,
        le=1000,
        description="How many silos a process keeps connections to; those that were used least "
        "recently are closed.",
    )

    @field_validator(
        "auth_migrations_database_url",
        "billing_migrations_database_url",
        "analytics_migrations_database_url",
        "features_migrations_database_url",
        "silo_admin_database_url",
        "pool_admin_database_url",
    )
    @classmethod
    def refuse_another_unreadable_url(cls, value: str) -> str:
        return readable_database_url(value)

    @field_validator(
        "silo_secret",
        "billing_silo_secret",
        "analytics_silo_secret",
        "features_silo_secret",
        mode="before",
    )
    @classmethod
    def split_silo_secrets(cls, value: object) -> object:
        return cls.split_keys(value)

    @field_validator(
        "silo_secret", "billing_silo_secret", "analytics_silo_secret", "features_silo_secret"
    )
    @classmethod
    def refuse_a_weak_silo_secret(cls, value: list[str]) -> list[str]:
        for number, secret in enumerate(value, start=1):
            if len(secret) < LEAST_SECRET:
                raise ValueError(
                    f"secret {number} has {len(secret)} characters, and needs {LEAST_SECRET}. "
                    f"Make one with: {MADE_BY}"
                )
        return value

    # --- Throttling ------------------------------------------------------------------------------

    throttle: str = Field(
        "20:40",
        description="How many requests a second a workspace may send, and how many at once after a "
        "pause.",
    )
    throttle_address: str = Field(
        "100:200",
        description="The same for an address whose credentials this process hasn't seen yet.",
    )
    throttle_plans: str = Field(
        "", description="Other allowances by plan: free=10:20, pro=100:200."
    )
    throttle_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="The share of a process's threads that one workspace may hold at once.",
    )

    @field_validator("throttle", "throttle_address")
    @classmethod
    def refuse_what_is_no_allowance(cls, value: str) -> str:
        return str(Allowance.read(value))

    @field_validator("throttle_plans")
    @classmethod
    def refuse_what_are_no_allowances(cls, value: str) -> str:
        of_plans(value)
        return value

    @model_validator(mode="after")
    def refuse_keys_that_last_too_long(self) -> Self:
        if self.api_key_days > self.api_key_max_days:
            raise ValueError("API_KEY_DAYS can't be more than API_KEY_MAX_DAYS.")
        return self
