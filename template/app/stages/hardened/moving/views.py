"""The buttons by which operators move a workspace's rows."""

from flask import Blueprint, flash, redirect, request, url_for

from app.stages.hardened.lifecycle.operators import only, operator_name
from app.stages.hardened.moving import asking

bp = Blueprint("moves", __name__, url_prefix="/workspaces/operators")


@bp.post("/<slug>/moves")
@only
def begin(slug: str):
    """Begin what a button says."""
    form = request.form
    move = asking.ask(slug, form.get("service", ""), form.get("what", ""), operator_name())
    flash(f"The worker is at the {move.service} of {move.slug}.", "success")
    return redirect(url_for("operators.tenant", slug=move.slug))
