"""Analytics' pages: the dashboard, and the export of what's behind it."""

from flask import Blueprint, Response, render_template, request, stream_with_context

from app.analytics import activity, periods
from app.analytics.dashboard import dashboard_of, has_any
from app.analytics.export import csv_of
from app.analytics.periods import BadPeriod, Period
from app.auth import requires
from app.tenancy import current_tenant

bp = Blueprint("analytics", __name__, url_prefix="/analytics", template_folder="templates")


@bp.get("/")
@requires("analytics:read")
def dashboard():
    """The dashboard. Dates that make no sense are answered with the usual period, and said."""
    period, problem = period_or_usual()
    page = render_template(
        "analytics/dashboard.html",
        dashboard=dashboard_of(period),
        activity=activity.page_of(period, request.args.get("before", "")),
        presets=periods.PRESETS,
        problem=problem,
        is_new=not has_any(),
    )
    return page, 400 if problem else 200


@bp.get("/events.csv")
@requires("analytics:read")
def events_csv():
    """Every event of the period, as a file."""
    period = periods.asked_for(request.args)
    name = f"events-{current_tenant().slug}-{period.first}-to-{period.last}.csv"
    # Batches on demand, so a million events need no more memory than a page of them.
    response = Response(stream_with_context(csv_of(period)), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def period_or_usual() -> tuple[Period, str]:
    """The period that was asked for; or the usual one, with what was wrong."""
    try:
        return periods.asked_for(request.args), ""
    except BadPeriod as problem:
        return periods.last_days(), str(problem)
