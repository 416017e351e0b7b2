"""The operators' JSON API: tenants, and what is done to them."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from flask import Blueprint
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.api import Readable, Response, spec
from app.stages.hardened.lifecycle import asking, ledger, showing
from app.stages.hardened.lifecycle.archive import uploads
from app.stages.hardened.lifecycle.creating import NewTenant
from app.stages.hardened.lifecycle.finding import find
from app.stages.hardened.lifecycle.models import Operation
from app.stages.hardened.lifecycle.operators import is_operator, only, operator_name, who_asks

api = Blueprint("operators_api", __name__, url_prefix="/api/v1/me/operator")
Text = Annotated[str, StringConstraints(max_length=300), Readable]


class TenantShown(BaseModel):
    """A workspace as operators see it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    slug: str
    name: str
    created_at: datetime
    state: str
    reason: str
    place: str
    people: int
    owners: list[str]


class TenantsShown(BaseModel):
    """The workspaces that were asked for."""

    items: list[TenantShown]


class WhichTenants(BaseModel):
    """Which workspaces to list."""

    like: Text = Field("", description="Letters in the slug or the name.")


class TenantAsked(BaseModel):
    """A workspace to be made."""

    slug: Text = Field(description="Its address. To ask for the same again makes no second one.")
    owner: Text = Field(description="The e-mail address of its first owner.")
    name: Text = Field("", description="What people call it. Default: made of the slug.")
    place: Literal["pool", "silo"] = "pool"
    tier: Text = ""
    region: Text = ""


class WhoIsTrusted(BaseModel):
    """Whose archives to take besides those of this installation."""

    trust: Text = Field("", description="Fingerprints of keys, separated by commas.")


class ArchiveKept(BaseModel):
    """An archive that was sent."""

    model_config = ConfigDict(from_attributes=True)

    archive: str = Field(description="Name it to import or to restore it.")
    tenant_id: UUID
    slug: str
    name: str
    rows: int
    signer: str


class ImportAsked(WhoIsTrusted):
    """The workspace to bring here."""

    archive: Text = Field(description="A file's name in instance/archives, as sending one says.")


class PlaceAsked(BaseModel):
    """Where a workspace shall live."""

    to: Literal["pool", "silo", "server", "account"]
    services: list[Literal["features", "billing", "analytics"]] = Field(
        [], description="Whose rows. Default: all of them."
    )
    region: Text = Field("", description="With `server` and `account`: an AWS region.")
    email: Text = Field("", description="With `account`: its address, of no other account.")


class OutputsAsked(BaseModel):
    """What Terraform made."""

    outputs: dict[str, Any] = Field(description="As `terraform output -json` says it.")


class OperationAsked(BaseModel):
    """What to do to a workspace."""

    kind: Literal["suspend", "resume", "export", "restore", "rotate", "delete"]
    reason: Text = Field("", description="Why; with `suspend`.")
    archive: Text = Field("", description="A file's name in instance/archives; with `restore`.")
    confirm: Text = Field("", description="The slug again; with `delete` and `restore`.")
    sessions: bool = Field(False, description="With `rotate`: end sessions and tokens instead.")


class OperationShown(BaseModel):
    """An operation, and how far it is."""

    id: UUID
    kind: str
    slug: str
    state: str
    steps_done: list[str]
    doing: str
    done: int
    total: int
    error: str
    operator: str
    created_at: datetime
    finished_at: datetime | None
    proof: dict[str, Any]


def shown(one: Operation) -> OperationShown:
    names = OperationShown.model_fields
    return OperationShown(**{name: getattr(one, name) for name in names})


@api.get("/tenants")
@only
@spec.validate(query=WhichTenants, resp=Response(HTTP_200=TenantsShown), tags=["operators"])
def list_tenants(query: WhichTenants):
    """List workspaces, by slug."""
    return TenantsShown(
        items=[TenantShown.model_validate(one) for one in showing.tenants(query.like)]
    )


@api.get("/tenants/<slug>")
@only
@spec.validate(resp=Response(HTTP_200=TenantShown), tags=["operators"])
def show_tenant(slug: str):
    """Show one workspace, with its owners."""
    return TenantShown.model_validate(showing.details(find(slug)))


@api.post("/tenants")
@only
@spec.validate(json=TenantAsked, resp=Response(HTTP_202=OperationShown), tags=["operators"])
def create_tenant(json: TenantAsked):
    """Make a workspace. A worker does it; the same again answers the same operation."""
    new = NewTenant(**json.model_dump())
    return shown(asking.ask_for_tenant(new, operator_name())), 202


@api.post("/archives")
@only
@spec.validate(query=WhoIsTrusted, resp=Response(HTTP_201=ArchiveKept), tags=["operators"])
def send_archive(query: WhoIsTrusted):
    """Send an archive: the zip is the body. It's kept if its signature is right."""
    kept = uploads.take_in(uploads.body(), fingerprints(query), operator_name())
    return ArchiveKept.model_validate(kept), 201


@api.post("/imports")
@only
@spec.validate(json=ImportAsked, resp=Response(HTTP_202=OperationShown), tags=["operators"])
def import_tenant(json: ImportAsked):
    """Bring the workspace of an archive here. The same again answers the same operation."""
    return shown(asking.ask_to_import(json.archive, fingerprints(json), operator_name())), 202


def fingerprints(said: WhoIsTrusted) -> list[str]:
    return [one.strip() for one in said.trust.split(",") if one.strip()]


@api.post("/tenants/<slug>/placement")
@only
@spec.validate(json=PlaceAsked, resp=Response(HTTP_202=OperationShown), tags=["operators"])
def place_tenant(slug: str, json: PlaceAsked):
    """Say where a workspace shall live, and make ready what that needs. No row moves."""
    asked = json.to, json.services, json.region, json.email
    return shown(asking.ask_to_place(slug, *asked, operator_name())), 202


@api.post("/tenants/<slug>/placement/outputs")
@only
@spec.validate(json=OutputsAsked, resp=Response(HTTP_202=OperationShown), tags=["operators"])
def enter_outputs(slug: str, json: OutputsAsked):
    """Let the catalog know what Terraform made for a workspace."""
    return shown(asking.ask_to_enter(slug, json.outputs, operator_name())), 202


@api.url_value_preprocessor
def allow_archives(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """An operator may send much; whoever isn't one is refused before it's read."""
    if endpoint == "operators_api.send_archive" and is_operator(who_asks() or ""):
        uploads.allow()


@api.post("/tenants/<slug>/operations")
@only
@spec.validate(json=OperationAsked, resp=Response(HTTP_202=OperationShown), tags=["operators"])
def begin_operation(slug: str, json: OperationAsked):
    """Begin an operation. A worker does it; ask again how far it is."""
    wish = asking.Wish(**json.model_dump())
    return shown(asking.ask(slug, wish, operator_name())), 202


@api.get("/operations/<uuid:operation_id>")
@only
@spec.validate(resp=Response(HTTP_200=OperationShown), tags=["operators"])
def show_operation(operation_id: UUID):
    """Show how far an operation is, and what it found."""
    return shown(ledger.find(str(operation_id)))
