"""The operators' pages: every workspace, what is under way, and buttons for what can be done."""

import json
from typing import Any
from uuid import UUID

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for

from app.db import db
from app.errors import Refused
from app.stages.hardened.catalog.places import SILOED
from app.stages.hardened.lifecycle import asking, ledger, showing
from app.stages.hardened.lifecycle.archive import operations as archives
from app.stages.hardened.lifecycle.archive import uploads
from app.stages.hardened.lifecycle.creating import PLACES, NewTenant
from app.stages.hardened.lifecycle.finding import find
from app.stages.hardened.lifecycle.models import Operation
from app.stages.hardened.lifecycle.operators import is_operator, only, operator_name, who_asks
from app.stages.hardened.lifecycle.placement import wishes
from app.stages.hardened.moving import asking as moving

bp = Blueprint(
    "operators", __name__, template_folder="templates", url_prefix="/workspaces/operators"
)
AT_ONCE = 200
LONGEST = 300
NEW = ("slug", "owner", "name", "place", "tier", "region")


@bp.get("/")
@only
def index():
    """Workspaces, filtered by letters and by state, and the operations under way."""
    return listed()


def listed(refusal: Refused | None = None):
    """The list; with what was typed and why it was refused, if something was."""
    like, state = request.args.get("like", ""), request.args.get("state", "")
    found = [one for one in showing.tenants(like) if state in {"", one.state}]
    page = render_template(
        "operators/index.html",
        tenants=found[:AT_ONCE],
        count=len(found),
        like=like,
        state=state,
        states=showing.STATES,
        operations=ledger.recent(20, open_ones=True),
        refusal=refusal,
        typed=request.form,
        places=PLACES,
        most_mb=uploads.most() // uploads.MB,
    )
    return page, refusal.status if refusal else 200


@bp.post("/")
@only
def create():
    """Make a workspace; what can't be is said beside what was typed."""
    typed = {name: request.form.get(name, "").strip()[:LONGEST] for name in NEW}
    try:
        operation = asking.ask_for_tenant(NewTenant(**typed), operator_name())
    except Refused as refusal:
        db.session.rollback()
        return listed(refusal)
    return to_operation(operation)


@bp.post("/archives")
@only
def bring():
    """Take an archive in, and bring its workspace here."""
    file = request.files.get("archive")
    trust = request.form.get("trust", "").replace(",", " ").split()
    try:
        if file is None or not file.filename:
            raise Refused("Choose the archive's file.")
        kept = uploads.take_in(file.stream, trust, operator_name())
        operation = asking.ask_to_import(kept.archive, trust, operator_name())
    except Refused as refusal:
        db.session.rollback()
        return listed(refusal)
    return to_operation(operation)


def to_operation(operation: Operation):
    return redirect(url_for("operators.operation", operation_id=operation.id))


@bp.url_value_preprocessor
def allow_archives(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """An operator may send much; whoever isn't one is refused before it's read."""
    if endpoint == "operators.bring" and is_operator(who_asks() or ""):
        uploads.allow()


@bp.get("/<slug>")
@only
def tenant(slug: str):
    """One workspace: what is known of it, what was done to it, what can be done."""
    return shown(slug)


def shown(slug: str, refusal: Refused | None = None):
    """One workspace; with what was typed and why it was refused, if something was."""
    found = find(slug)
    page = render_template(
        "operators/tenant.html",
        shown=showing.details(found),
        operations=ledger.recent(20, tenant_id=found.id),
        homes=moving.homes(found.as_tenant()),
        places=wishes.PLACES,
        services=SILOED,
        together=current_app.config["SETTINGS"].serves == "all",
        archives=sorted(one.name for one in archives.folder().glob("*.zip")),
        refusal=refusal,
        typed=request.form,
    )
    return page, refusal.status if refusal else 200


@bp.post("/<slug>/operations")
@only
def begin(slug: str):
    """Begin what a button says."""
    form = request.form
    kind = form.get("kind", "")
    if kind not in asking.KINDS:
        return redirect(url_for("operators.tenant", slug=slug))
    wish = asking.Wish(
        kind,
        reason=form.get("reason", "")[:300],
        archive=form.get("archive", ""),
        confirm=form.get("confirm", ""),
        sessions=form.get("sessions") == "yes",
    )
    operation = asking.ask(slug, wish, operator_name())
    flash(f"{kind.capitalize()} of {operation.slug} has begun.", "success")
    return to_operation(operation)


@bp.post("/<slug>/placement")
@only
def place(slug: str):
    """Say where a workspace shall live; what can't be is said beside what was typed."""
    form = request.form
    to, region, email = (form.get(name, "").strip()[:LONGEST] for name in ("to", "region", "email"))
    try:
        services = form.getlist("service")
        operation = asking.ask_to_place(slug, to, services, region, email, operator_name())
    except Refused as refusal:
        db.session.rollback()
        return shown(slug, refusal)
    return to_operation(operation)


@bp.post("/<slug>/placement/outputs")
@only
def enter(slug: str):
    """Let the catalog know what Terraform made."""
    try:
        outputs = readable(request.form.get("outputs", ""))
        operation = asking.ask_to_enter(slug, outputs, operator_name())
    except Refused as refusal:
        db.session.rollback()
        return shown(slug, refusal)
    return to_operation(operation)


def readable(outputs: str) -> object:
    try:
        return json.loads(outputs)
    except (ValueError, RecursionError) as error:
        raise Refused(f"That isn't JSON: {error}") from None


@bp.get("/operations/<uuid:operation_id>")
@only
def operation(operation_id: UUID):
    """How far an operation is; its steps, and what went wrong."""
    from app.stages.hardened.lifecycle import running
    from app.stages.hardened.lifecycle.doing import load_kinds

    load_kinds()
    found = ledger.find(str(operation_id))
    return render_template(
        "operators/operation.html", operation=found, steps=running.STEPS[found.kind]
    )


@bp.post("/operations/<uuid:operation_id>/resumption")
@only
def resume(operation_id: UUID):
    """Go on with one that stopped."""
    found = ledger.find(str(operation_id))
    if found.is_open:
        asking.hand_over(found.id)
        flash("It goes on.", "success")
    return redirect(url_for("operators.operation", operation_id=operation_id))
