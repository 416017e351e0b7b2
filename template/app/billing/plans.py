"""The plans: data in the team's `app/features/plans.toml`, checked when the application starts."""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from flask import Flask, current_app
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from app.billing.money import CURRENCY

FILE = Path("features", "plans.toml")
MOST = 2**53  # More than this, and a browser's JSON rounds it.


class BadPlans(SystemExit):
    """The file of plans is not right; the message names the file and each key to mend."""


class UnknownInPlans(LookupError):
    """Code asked for a limit, an entitlement, a meter or a plan that the file doesn't name."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        super().__init__(
            f"No {kind} is called {name!r} in app/features/plans.toml. "
            f"There are: {', '.join(sorted(known)) or 'none'}."
        )


def no_limit(value: Any) -> Any:
    return None if value == "unlimited" else value


Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.-]{0,59}$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Amount = Annotated[int, Field(strict=True, ge=0, le=MOST)]
Limit = Annotated[Amount | None, BeforeValidator(no_limit)]
Yes = Annotated[bool, Field(strict=True)]


class Strict(BaseModel):
    """A part of the file; a key that nobody reads is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Metered(Strict):
    """What a plan says of something that is counted: so many are included, each further costs."""

    included: Amount
    unit_price: Amount


class Plan(Strict):
    """What a tenant may use, and for how much a month."""

    name: Name = ""
    title: Text
    summary: Text
    price: Amount
    limits: dict[Name, Limit]
    entitlements: dict[Name, Yes]
    meters: dict[Name, Metered]

    @property
    def is_free(self) -> bool:
        """Whether the plan needs no payment at all."""
        return not self.price and not any(meter.unit_price for meter in self.meters.values())


class Plans(Strict):
    """The whole file."""

    default: Name
    currency: Annotated[str, StringConstraints(pattern=CURRENCY)]
    limits: dict[Name, Text] = {}
    entitlements: dict[Name, Text] = {}
    meters: dict[Name, Text] = {}
    plans: dict[Name, Plan] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def name_plans(cls, data: dict[str, Any]) -> dict[str, Any]:
        """A plan is called what its table is called."""
        plans = data.get("plans")
        if not isinstance(plans, dict):
            return data
        named = {
            name: {**plan, "name": name} if isinstance(plan, dict) else plan
            for name, plan in plans.items()
        }
        return {**data, "plans": named}

    @model_validator(mode="after")
    def refuse_gaps(self) -> Self:
        problems = list(self.gaps())
        if self.default not in self.plans:
            problems.append(f"default: there is no plan called {self.default!r}")
        elif not self.plans[self.default].is_free:
            problems.append(f"default: {self.default!r} must be free, or nobody could try it out")
        for plan in self.plans.values():
            if plan.is_free and plan.name != self.default:
                problems.append(f"plans.{plan.name}.price: only the default plan can be free")
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def gaps(self) -> Iterable[str]:
        """What a plan forgot to say, or says of something that isn't declared."""
        for plan in self.plans.values():
            for kind in ("limits", "entitlements", "meters"):
                said, declared = getattr(plan, kind).keys(), getattr(self, kind).keys()
                for name in sorted(declared - said):
                    yield f"plans.{plan.name}.{kind}: says nothing about {name!r}"
                for name in sorted(said - declared):
                    yield f"plans.{plan.name}.{kind}: {name!r} isn't declared in [{kind}]"

    def find(self, name: str) -> Plan:
        """The plan with this name. Raises `UnknownInPlans`."""
        return known("plan", self.plans, name)

    @property
    def free(self) -> Plan:
        """The plan of a tenant that never chose."""
        return self.plans[self.default]


Kind = Literal["plan", "limit", "entitlement", "meter"]


def known(kind: Kind, among: Mapping[str, Any], name: str) -> Any:
    """The entry with this name. A typo is an error: it must not give the product away."""
    try:
        return among[name]
    except KeyError:
        raise UnknownInPlans(kind, name, among) from None


def init_app(app: Flask) -> None:
    app.extensions["plans"] = load(Path(app.root_path) / FILE)


def plans() -> Plans:
    """The plans as the file says them."""
    found: Plans = current_app.extensions["plans"]
    return found


def load(file: Path) -> Plans:
    """Read the file; raises `BadPlans` with a line for each thing to mend."""
    try:
        return Plans.model_validate(tomllib.loads(file.read_text("utf-8")))
    except OSError as error:
        raise BadPlans(f"{file} can't be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadPlans(f"{file} isn't TOML: {error}") from None
    except ValidationError as error:
        lines = [line for problem in error.errors() for line in describe(problem)]
        raise BadPlans("\n".join([f"{file} is not right:", *lines])) from None


def describe(problem: Mapping[str, Any]) -> list[str]:
    """Lines for people: where in the file, and what is wrong there."""
    place = ".".join(str(part) for part in problem["loc"] if part != "[key]")
    text = str(problem["msg"]).removeprefix("Value error, ")
    return [f"  {place}: {line}" if place else f"  {line}" for line in text.splitlines()]
