"""Who gets a release when: the waves and gates of a file, and the tenants of each wave."""

import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from app.stages.services.rollout.errors import Refused

DEFAULT = Path(__file__).with_name("rollout.toml")
TEAMS = Path(__file__).parents[3] / "features" / "rollout.toml"
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
CHOICES = ("tenants", "share", "members_up_to", "plan", "rest")


def seconds_of(value: object) -> object:
    """`10m` in seconds; a number stays one."""
    if isinstance(value, str):
        found = re.fullmatch(r"(\d+)([smhd])", value)
        if not found:
            raise ValueError('must be like "30s", "10m" or "2h"')
        return int(found[1]) * SECONDS[found[2]]
    return value


Duration = Annotated[float, BeforeValidator(seconds_of), Field(ge=0)]


class Part(BaseModel):
    """A part of the file: an unknown word in it is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Wave(Part):
    """Some tenants that get the release together."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9 -]{0,38}$")
    tenants: list[str] | None = None
    share: float | None = Field(None, gt=0, le=1)
    members_up_to: int | None = Field(None, ge=0)
    plan: list[str] | None = None
    rest: bool | None = None
    may_be_empty: bool = False
    soak: Duration | None = None

    @model_validator(mode="after")
    def refuse_more_than_one_choice(self) -> Self:
        if sum(getattr(self, choice) is not None for choice in CHOICES) != 1:
            raise ValueError(f"must say who is in it, by one of {', '.join(CHOICES)}")
        return self


class Gates(Part):
    """What must hold before the next wave begins."""

    soak: Duration = 600
    requests: int = Field(default=100, ge=0)
    patience: Duration = 7200
    error_budget: float = Field(default=0.02, ge=0, lt=1)
    errors: int = Field(default=3, ge=1)
    slowest: float = Field(default=2.0, gt=0)
    slower: float = Field(default=2.0, gt=1)
    blind: Duration = 60
    journey: str = ""
    journey_patience: Duration = 300

    @model_validator(mode="after")
    def refuse_a_patience_that_ends_before_the_soak(self) -> Self:
        if self.patience < self.soak:
            raise ValueError("patience must not be shorter than soak, or no wave could be good")
        return self


class Waves(Part):
    """The whole file."""

    wave: list[Wave] = Field(min_length=1)
    gates: Gates = Gates()

    @model_validator(mode="after")
    def refuse_what_leaves_somebody_out(self) -> Self:
        names = [wave.name for wave in self.wave]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two waves are called {' and '.join(sorted(twice))}")
        rests = [wave.rest for wave in self.wave]
        if not rests[-1] or any(rests[:-1]):
            raise ValueError("the last wave, and no other, must be the rest: rest = true")
        return self


@dataclass(frozen=True, slots=True)
class Customer:
    """A tenant, as far as waves are concerned."""

    id: UUID
    slug: str
    members: int
    plan: str = ""


def file_in_use(given: Path | None = None) -> Path:
    """The file that was named, the team's, or the one that comes along."""
    return given or (TEAMS if TEAMS.exists() else DEFAULT)


def read(file: Path) -> Waves:
    """The waves of a file.

    Raises `Refused` with each mistake and where it is.
    """
    try:
        return Waves.model_validate(tomllib.loads(file.read_text("utf-8")))
    except OSError as error:
        raise Refused(f"{file} can't be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refused(f"{file} isn't TOML: {error}.") from None
    except ValidationError as error:
        lines = "\n".join(f"  {describe(problem)}" for problem in error.errors())
        raise Refused(f"{file} isn't right:\n{lines}") from None


def describe(problem: Mapping[str, Any]) -> str:
    where = ".".join(str(part + 1) if isinstance(part, int) else part for part in problem["loc"])
    text = str(problem["msg"]).removeprefix("Value error, ")
    return f"{where}: {text}" if where else text


def assign(
    waves: Sequence[Wave], customers: Sequence[Customer], release: str
) -> list[list[Customer]]:
    """The tenants of each wave; everybody is in exactly one.

    Raises `Refused` for a wave that nobody is in, and for a slug that nobody has.
    """
    left = dict.fromkeys(sorted(customers, key=lambda one: turn_of(one, release)))
    found = []
    for wave in waves:
        members = members_of(wave, list(left), len(customers), customers)
        if not members and not wave.may_be_empty and not (wave.rest and len(waves) > 1):
            raise Refused(
                f"Nobody is in the wave {wave.name!r}. Change it or take it out; if it doesn't "
                "matter, say may_be_empty = true in it."
            )
        for one in members:
            del left[one]
        found.append(members)
    return found


def turn_of(customer: Customer, release: str) -> str:
    """Each release has an order of its own: it shouldn't be the same ones who come first."""
    return hashlib.sha256(f"{release} {customer.id}".encode()).hexdigest()


def members_of(
    wave: Wave, left: list[Customer], count: int, everybody: Sequence[Customer]
) -> list[Customer]:
    if wave.tenants is not None:
        refuse_unknown(wave, everybody)
        return [one for one in left if one.slug in set(wave.tenants)]
    if wave.share is not None:
        return left[: max(1, round(count * wave.share))]
    if wave.members_up_to is not None:
        return [one for one in left if one.members <= wave.members_up_to]
    if wave.plan is not None:
        return [one for one in left if one.plan in wave.plan]
    return left


def refuse_unknown(wave: Wave, everybody: Sequence[Customer]) -> None:
    slugs = {one.slug for one in everybody}
    for slug in wave.tenants or ():
        if slug not in slugs:
            near = get_close_matches(slug.lower(), slugs, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise Refused(f"The wave {wave.name!r} names {slug!r}, and no tenant has it.{hint}")


def shown(seconds: float) -> str:
    """A time as people say it."""
    return str(timedelta(seconds=round(seconds)))
