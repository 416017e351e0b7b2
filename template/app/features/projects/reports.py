"""The pages of reports: asked for, followed while the worker builds them, downloaded."""

from uuid import UUID

from flask import Response, abort, redirect, render_template, url_for
from sqlalchemy import select

from app import analytics, jobs
from app.auth import requires
from app.db import db
from app.features.projects.jobs import ask_for_report
from app.features.projects.models import Report
from app.features.projects.views import bp, names_of
from app.tenancy import get_or_404

SHOWN = 20


@bp.get("/reports/")
@requires("projects:read")
def reports():
    """The latest reports."""
    latest = db.session.scalars(select(Report).order_by(Report.id.desc()).limit(SHOWN)).all()
    names = names_of({report.asked_by for report in latest})
    return render_template("projects/reports.html", reports=latest, names=names)


@bp.post("/reports/")
@requires("projects:write")
def build_report():
    """Ask for a report, and go where it can be followed."""
    report = ask_for_report()
    db.session.commit()
    return redirect(url_for(".show_report", report_id=report.id))


@bp.get("/reports/<uuid:report_id>")
@requires("projects:read")
def show_report(report_id: UUID):
    """How far it is. The page comes again by itself until the report is built, script or not."""
    report = get_or_404(Report, report_id)
    job = jobs.find(report.job_id)
    # Also if the job has ended since the report was read.
    comes = not report.is_built and job is not None and job.state != "failed"
    headers = {"Refresh": "1"} if comes else {}
    return render_template("projects/report.html", report=report, job=job), headers


@bp.get("/reports/<uuid:report_id>/projects.csv")
@requires("projects:read")
def download_report(report_id: UUID):
    """The report itself."""
    report = get_or_404(Report, report_id)
    if not report.is_built:
        abort(404)
    analytics.record("report downloaded")
    body = report.body
    db.session.commit()
    return as_file(body)


def as_file(body: str) -> Response:
    """A CSV answer that browsers save."""
    response = Response(body, mimetype="text/csv")
    response.headers["Content-Disposition"] = 'attachment; filename="projects.csv"'
    response.headers["Cache-Control"] = "no-store"
    return response
