"""Billing's pages: what a tenant has, what it could have, and what it paid."""

from contextlib import suppress
from uuid import UUID

from flask import (
    Blueprint,
    abort,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)

from app.auth import requires
from app.billing import overview as looking
from app.billing import payments as paying
from app.billing.models import Invoice
from app.billing.payments import payments
from app.billing.plans import UnknownInPlans, plans
from app.billing.subscriptions import paid_plan, subscription
from app.errors import Unavailable
from app.tenancy import get_or_404

bp = Blueprint("billing", __name__, url_prefix="/billing", template_folder="templates")

LOOK_AGAIN_SECONDS = 5


@bp.context_processor
def for_every_page():
    return {"file": plans(), "payments": payments()}


@bp.get("/")
@requires("billing:read")
def overview():
    row = subscription()
    plan = paid_plan(row)
    return render_template(
        "billing/overview.html",
        row=row,
        plan=plan,
        readings=looking.readings(plan),
        next_invoice=looking.next_invoice(row),
    )


@bp.get("/plans")
@requires("billing:read")
def compare():
    row = subscription()
    return render_template("billing/plans.html", row=row, current=paid_plan(row))


@bp.post("/subscription")
@requires("billing:write")
def choose():
    """Move to another plan: at once, or by way of the provider's page."""
    try:
        plan = plans().find(request.form.get("plan", ""))
    except UnknownInPlans:
        abort(404, "There is no such plan.")
    if url := paying.choose(plan):
        return redirect(url, 303)
    flash(outcome(), "success")
    return redirect(url_for(".overview"), 303)


@bp.post("/cancellation")
@requires("billing:write")
def cancel():
    paying.cancel()
    flash(outcome(), "success")
    return redirect(url_for(".overview"), 303)


@bp.post("/resumption")
@requires("billing:write")
def resume():
    paying.resume()
    flash(outcome(), "success")
    return redirect(url_for(".overview"), 303)


@bp.post("/portal")
@requires("billing:write")
def portal():
    """The provider's own page, for cards and addresses."""
    return redirect(paying.ready().portal(), 303)


@bp.get("/return")
@requires("billing:write")
def returned():
    """Back from the provider's page, maybe before it has told us anything: so we ask."""
    with suppress(Unavailable):  # The page says that we wait, and asks again.
        payments().refresh()
    if paying.is_running(row := subscription()) and not paid_plan(row).is_free:
        flash(outcome(), "success")
        return redirect(url_for(".overview"))
    page = make_response(render_template("billing/waiting.html", seconds=LOOK_AGAIN_SECONDS))
    page.headers["Refresh"] = str(LOOK_AGAIN_SECONDS)
    return page


@bp.get("/invoices")
@requires("billing:invoices")
def invoices():
    return render_template("billing/invoices.html", invoices=looking.invoices())


@bp.get("/invoices/<uuid:invoice_id>")
@requires("billing:invoices")
def invoice(invoice_id: UUID):
    return render_template("billing/invoice.html", invoice=get_or_404(Invoice, invoice_id))


def outcome() -> str:
    """How things stand now, in a sentence."""
    row = subscription()
    plan = paid_plan(row)
    if row and row.cancel_at_period_end and row.period_ends_at:
        return f"You keep the {plan.title} plan until {row.period_ends_at:%d %B %Y}."
    return f"This workspace is on the {plan.title} plan."
