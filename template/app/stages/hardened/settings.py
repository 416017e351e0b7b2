"""The settings that the hardened stage adds to those of the services."""

from pydantic import Field, field_validator

from app.settings import Keys
from app.stages.services.settings import Settings as Services


class Settings(Services):
    """What the walls, the catalog and signing in need to know."""

    # --- Tenants that operators look after (lifecycle) -------------------------------------------

    operators: Keys = Field(
        [],
        description="Who may look after all workspaces: e-mail addresses, separated by commas. "
        "Empty: nobody, but whoever has a shell.",
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
