"""The settings that the services stage adds to those of `app/settings.py`."""

import re
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from app.settings import Keys, of_scheme, readable_database_url
from app.settings import Settings as Prototype

SERVICES = ("auth", "billing", "analytics", "features")
PLACE = re.compile(r"(?=.*\{service\})(?=.*\{release\})[a-z0-9.{}-]+:\d{1,5}")


class Settings(Prototype):
    """Which package this process serves, where the others are, and what it signs with."""

    serves: Literal["all", "auth", "billing", "analytics", "features"] = Field(
        "all", description="The package that this process serves; all: one process for everything."
    )
    auth_url: str = Field("", description="Where the service auth is asked by its neighbours.")
    billing_url: str = Field("", description="Where the service billing is asked.")
    analytics_url: str = Field("", description="Where the service analytics is asked.")
    features_url: str = Field("", description="Where the service of your features is asked.")
    signing_keys: Keys = Field(
        [],
        description="This service's private keys, newest first: see `flask keys new`. In "
        "development they are made in instance/.",
    )

    release: str = Field(
        "dev",
        pattern=r"^[a-z0-9.-]{1,40}$",
        description="Which release this process runs, as its image is called: for metrics.",
    )
    metrics_tenants: int = Field(
        1000,
        ge=0,
        description="How many workspaces a process counts by name; the rest are `other`.",
    )
    metrics_address: str = Field(
        "",
        description="Where `flask worker` answers Prometheus, as host:port. Empty: nowhere.",
    )
    otel_exporter_otlp_endpoint: str = Field(
        "",
        description="The collector that traces go to, by OTLP over HTTP: http://host:4318. Empty: "
        "no traces.",
    )

    prometheus_url: str = Field(
        "", description="A Prometheus that `flask rollout` asks how a release does."
    )
    rollout_upstreams: str = Field(
        "{service}-{release}:8000",
        description="Where a release's services answer the gateway; a dot in its name is a dash.",
    )
    rollout_database_url: str = Field(
        "",
        description="auth's database as `flask rollout` reaches it. Empty: with SERVES=auth, its "
        "own.",
    )

    @field_validator("rollout_upstreams")
    @classmethod
    def refuse_one_place_for_all(cls, value: str) -> str:
        if not PLACE.fullmatch(value):
            raise ValueError("must be host:port, with {service} and {release} in the host")
        return value

    @field_validator("rollout_database_url")
    @classmethod
    def refuse_an_unreadable_url(cls, value: str) -> str:
        return readable_database_url(value)

    @field_validator("prometheus_url")
    @classmethod
    def refuse_what_is_no_prometheus(cls, value: str) -> str:
        return of_scheme(value, "http", "https").rstrip("/")

    @field_validator(
        "auth_url", "billing_url", "analytics_url", "features_url", "otel_exporter_otlp_endpoint"
    )
    @classmethod
    def refuse_what_is_no_url(cls, value: str) -> str:
        return of_scheme(value, "http", "https").rstrip("/")

    @field_validator("metrics_address")
    @classmethod
    def refuse_what_is_no_address_to_listen_at(cls, value: str) -> str:
        host, colon, port = value.rpartition(":")
        if value and not (colon and port.isdecimal() and 0 < int(port) < 65536 and " " not in host):
            raise ValueError("must be host:port, or :port for all addresses")
        return value

    @field_validator("signing_keys", mode="before")
    @classmethod
    def split_signing_keys(cls, value: object) -> object:
        return cls.split_keys(value)

    @model_validator(mode="after")
    def refuse_a_service_without_neighbours(self) -> Self:
        if self.serves == "all":
            return self
        missing = [
            f"{name.upper()}_URL must be set where SERVES is: its neighbours answer there."
            for name in SERVICES
            if name != self.serves and not self.url_of(name)
        ]
        if not self.redis_url:
            missing.append("REDIS_URL must be set where SERVES is: events travel through it.")
        if self.in_production and not self.signing_keys:
            missing.append("SIGNING_KEYS must be set in production. Make one: flask keys new")
        if missing:
            raise ValueError("\n  ".join(missing))
        return self

    @property
    def served(self) -> frozenset[str]:
        """The packages that this process serves, and the tables that every process has."""
        if self.serves == "all":
            return super().served
        return frozenset({"shared", self.serves})

    @property
    def service(self) -> str:
        """The name of this process among its neighbours."""
        return "app" if self.serves == "all" else self.serves

    def url_of(self, service: str) -> str:
        """Where a neighbour is asked, without a slash at the end."""
        url: str = getattr(self, f"{service}_url")
        return url
