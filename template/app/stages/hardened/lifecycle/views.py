"""The operators' pages: every workspace, what is under way, and buttons for what can be done."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for

from app.stages.hardened.lifecycle import asking, ledger, showing
from app.stages.hardened.lifecycle.finding import find
from app.stages.hardened.lifecycle.operators import only, operator_name

bp = Blueprint(
    "operators", __name__, template_folder="templates", url_prefix="/workspaces/operators"
)
AT_ONCE = 200


@bp.get("/")
@only
def index():
    """Workspaces, filtered by letters and by state, and the operations under way."""
    like, state = request.args.get("like", ""), request.args.get("state", "")
    found = [one for one in showing.tenants(like) if state in {"", one.state}]
    return render_template(
        "operators/index.html",
        tenants=found[:AT_ONCE],
        count=len(found),
        like=like,
        state=state,
        states=showing.STATES,
        operations=ledger.recent(20, open_ones=True),
    )


@bp.get("/<slug>")
@only
def tenant(slug: str):
    """One workspace: what is known of it, what was done to it, what can be done."""
    found = find(slug)
    return render_template(
        "operators/tenant.html",
        shown=showing.details(found),
        operations=ledger.recent(20, tenant_id=found.id),
    )


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
    return redirect(url_for("operators.operation", operation_id=operation.id))


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
