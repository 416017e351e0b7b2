"""What Terraform made for a tenant, as `terraform output -json` of infra/terraform/tenant says it.

It's taken only if it's this tenant's own, and all that was wished for: a target of somebody else's
would mix two tenants' rows.
"""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from app.db import db
from app.errors import Refused
from app.stages.hardened.accounts.driver import KIND
from app.stages.hardened.catalog import api as catalog
from app.stages.hardened.catalog import passwords
from app.stages.hardened.catalog.models import TargetRow
from app.stages.hardened.catalog.places import SILOED, Target
from app.stages.hardened.lifecycle.finding import with_id
from app.stages.hardened.lifecycle.models import Operation
from app.stages.hardened.lifecycle.placement.wishes import BY_TERRAFORM, CannotPlace
from app.stages.hardened.silos.names import database_of, owner_of
from app.stages.hardened.silos.places import NAME

Text = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
FIRST_PROBLEMS = 3
HOW = "Take them from the folder that was applied: terraform output -json > outputs.json"


class BadOutputs(Refused):
    """These aren't the outputs of the tenant's place."""

    title = "These outputs can't be used"
    status = 422


class Made(BaseModel):
    """A service's place."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["silo", "account"]
    host: Text
    port: int = Field(ge=1, le=65535)
    database: Text
    role: Text
    owner_role: Text
    secret_ref: str
    details: dict[str, str]


class Outputs(BaseModel):
    """All that was made, by service."""

    targets: dict[str, Made]
    administrator_secret_arn: Text


def read(told: object) -> Outputs:
    """What the outputs say; raises `BadOutputs`."""
    if not isinstance(told, dict):
        raise BadOutputs("That isn't what `terraform output -json` writes.", hint=HOW)
    missing = [name for name in Outputs.model_fields if name not in told]
    if missing:
        raise BadOutputs(f"The outputs lack {' and '.join(missing)}.", hint=HOW)
    try:
        return Outputs.model_validate({name: value_of(told, name) for name in Outputs.model_fields})
    except ValidationError as error:
        problems = "; ".join(line_of(one) for one in error.errors()[:FIRST_PROBLEMS])
        raise BadOutputs(f"The outputs aren't as they should be: {problems}", hint=HOW) from None


def value_of(told: dict[str, Any], name: str) -> object:
    found = told[name]
    return found["value"] if isinstance(found, dict) and "value" in found else found


def line_of(problem: Any) -> str:
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"


# --- Whose they are ------------------------------------------------------------------------------


def refuse(tenant_id: UUID, slug: str, told: Outputs, wished: Operation | None) -> None:
    """Raises `Refused` for what isn't just what this tenant was to get."""
    if wished is None or wished.wishes["to"] not in BY_TERRAFORM:
        raise CannotPlace(
            f"Nobody said that {slug} shall have a server or an account of its own.",
            hint=f"Say so first: flask tenant place {slug} --to server, or --to account",
        )
    refuse_other_services(told, wished)
    for service, made in told.targets.items():
        refuse_anothers(tenant_id, slug, service, made)
        if made.kind != ("account" if wished.wishes["to"] == "account" else "silo"):
            raise BadOutputs(
                f"{service} is of the kind {made.kind}, and {slug} shall have "
                f"{'an account' if made.kind == 'silo' else 'a server'} of its own."
            )
        if made.kind == "account":
            refuse_another_account(slug, service, made, wished)
        catalog.refuse_known_otherwise(as_target(service, made))


def refuse_other_services(told: Outputs, wished: Operation) -> None:
    if lacking := [one for one in wished.wishes["services"] if one not in told.targets]:
        raise BadOutputs(
            f"The outputs lack {', '.join(lacking)}.",
            hint="Apply the newest variables, then take the outputs again.",
        )
    if more := sorted(set(told.targets) - set(wished.wishes["services"])):
        raise BadOutputs(f"Nobody wished for a place of {', '.join(more)} ({', '.join(SILOED)}).")


def refuse_anothers(tenant_id: UUID, slug: str, service: str, made: Made) -> None:
    own = database_of(service, tenant_id)
    if (made.database, made.role, made.owner_role) == (own, own, owner_of(own)):
        return
    known = NAME.fullmatch(made.database)
    other = with_id(str(UUID(known[2]))) if known and UUID(known[2]) != tenant_id else None
    raise BadOutputs(
        f"These are the outputs of {other.slug}, not of {slug}."
        if other
        else f"{service}: the database {made.database}, with the roles {made.role} and "
        f"{made.owner_role}, isn't that of {slug}.",
        hint=f"The database of {slug} is {own}.",
    )


def refuse_another_account(slug: str, service: str, made: Made, wished: Operation) -> None:
    account, external = wished.proof["account_id"], wished.proof["external_id"]
    arns = {
        "secret_ref": made.secret_ref.removeprefix(KIND),
        "role_arn": made.details.get("role_arn", ""),
    }
    for name, arn in arns.items():
        if arn.split(":")[4:5] != [account]:
            raise BadOutputs(f"{service}: {name} isn't in {slug}'s account, {account}: {arn!r}.")
    if made.details.get("external_id") != external:
        raise BadOutputs(
            f"{service}: the external id isn't the one that {slug} was given.",
            hint=f"Apply the variables in {wished.proof['file']}, then take the outputs again.",
        )


def as_target(service: str, made: Made) -> Target:
    """As the catalog knows it. The passwords of a server of its own are derived, as any silo's."""
    known = db.session.get(TargetRow, made.database)
    derived = known.secret_ref if known else passwords.new_ref(service)
    return Target(
        made.database,
        service,
        made.kind,
        made.host,
        made.port,
        made.database,
        made.role,
        made.owner_role,
        made.secret_ref if made.kind == "account" else derived,
        dict(made.details),
    )
