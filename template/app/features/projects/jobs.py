"""What the worker does for projects."""

from uuid import UUID

from sqlalchemy import func, select

from app.auth import current_user
from app.db import db, new_id, now
from app.features.projects.models import Project, Report, make_sure_reports_are_included
from app.jobs import job, later, progress
from app.spreadsheet import csv_text

HEADER = ("name", "description", "created (UTC)", "updated (UTC)", "archived (UTC)")
BATCH = 100


def ask_for_report() -> Report:
    """Ask the worker for a report of all projects. Raises `billing.NotInPlan`."""
    make_sure_reports_are_included()
    report_id = new_id()
    report = Report(
        id=report_id, asked_by=current_user.id, job_id=later(build_report, report_id).id
    )
    db.session.add(report)
    return report


@job
def build_report(report_id: str) -> None:
    """Write down every project. A second run, after a crash, begins anew and counts once."""
    report = db.session.scalars(select(Report).where(Report.id == UUID(report_id))).one()
    if report.is_built:
        return
    total = db.session.scalar(select(func.count(Project.id))) or 0
    lines: list[tuple[str, ...]] = [HEADER]
    mark = UUID(int=0)
    while batch := batch_after(mark):
        lines += [line_of(project) for project in batch]
        mark = batch[-1].id
        progress(len(lines) - 1, total)
    report.finish(csv_text(lines), at=now())


def batch_after(mark: UUID) -> list[Project]:
    """Some projects, oldest first."""
    following = select(Project).where(Project.id > mark).order_by(Project.id)
    return list(db.session.scalars(following.limit(BATCH)))


def line_of(project: Project) -> tuple[str, ...]:
    moments = (project.created_at, project.updated_at, project.archived_at)
    return (project.name, project.description, *(m.isoformat() if m else "" for m in moments))
