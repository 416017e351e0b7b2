"""Projects' JSON API."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from flask import Blueprint, jsonify, url_for
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.api import IfMatch, OneLine, Readable, Response, spec
from app.auth import requires
from app.db import db, now
from app.features.projects.forms import DESCRIPTION_LENGTH, NAME_LENGTH
from app.features.projects.jobs import ask_for_report
from app.features.projects.listing import page_of
from app.features.projects.models import Project, Report
from app.idempotency import idempotent
from app.tenancy import as_dicts, get_or_404

api = Blueprint("projects_api", __name__)

Stripped = StringConstraints(strip_whitespace=True)
Name = Annotated[str, Stripped, Field(min_length=1, max_length=NAME_LENGTH), OneLine]
Description = Annotated[str, Stripped, Field(max_length=DESCRIPTION_LENGTH), Readable]


class ProjectBegun(BaseModel):
    """What it takes to begin a project."""

    name: Name
    description: Description = ""


class ProjectChanged(BaseModel):
    """What to change; what is left out stays."""

    name: Name | None = None
    description: Description | None = None


class ProjectShown(BaseModel):
    """A project."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    description: str
    created_by: UUID
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None
    version: int


class ProjectsAsked(BaseModel):
    """Which projects to list."""

    q: str = Field("", max_length=NAME_LENGTH, description="Words in the name.")
    archived: bool = Field(False, description="The archived ones instead.")
    after: UUID | None = Field(None, description="`next` of the page before.")
    limit: int = Field(20, ge=1, le=100, description="How many at most.")


class ProjectsListed(BaseModel):
    """A page of projects, newest first, and the mark of the next one."""

    items: list[ProjectShown]
    next: UUID | None


class ReportShown(BaseModel):
    """A report, and the job that builds it: see `/api/v1/jobs/{job_id}`."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    job_id: UUID
    asked_by: UUID
    asked_at: datetime
    built_at: datetime | None


@api.get("/")
@requires("projects:read")
@spec.validate(resp=Response(HTTP_200=ProjectsListed), tags=["projects"])
def index(query: ProjectsAsked):
    """List projects, newest first."""
    page = page_of(words=query.q, archived=query.archived, after=query.after, size=query.limit)
    # Rows become JSON as they are: the list is what clients ask for most.
    return jsonify(items=as_dicts(page.projects), next=page.next)


@api.post("/")
@requires("projects:write")
@idempotent
@spec.validate(resp=Response(HTTP_201=ProjectShown), tags=["projects"])
def create(json: ProjectBegun):
    """Begin a project."""
    project = Project.begin(json.name, json.description)
    db.session.flush()
    return shown(project, 201)


@api.get("/<uuid:project_id>")
@requires("projects:read")
@spec.validate(resp=Response(HTTP_200=ProjectShown), tags=["projects"])
def show(project_id: UUID):
    """Show a project. Its ETag is its version."""
    return shown(get_or_404(Project, project_id))


@api.patch("/<uuid:project_id>")
@requires("projects:write")
@spec.validate(resp=Response(HTTP_200=ProjectShown), tags=["projects"])
def change(project_id: UUID, json: ProjectChanged, headers: IfMatch):
    """Change a project. With an If-Match header, only if nobody else did meanwhile."""
    project = get_or_404(Project, project_id)
    project.expect_match(headers.if_match)
    project.change(json.name, json.description)
    db.session.commit()
    return shown(project)


@api.delete("/<uuid:project_id>")
@requires("projects:delete")
@spec.validate(resp=Response("HTTP_204"), tags=["projects"])
def delete(project_id: UUID, headers: IfMatch):
    """Delete a project for good. With an If-Match header, only if nobody changed it meanwhile."""
    project = get_or_404(Project, project_id)
    project.expect_match(headers.if_match)
    project.delete()
    db.session.commit()
    return "", 204


@api.put("/<uuid:project_id>/archival")
@requires("projects:write")
@spec.validate(resp=Response(HTTP_200=ProjectShown), tags=["projects"])
def archive(project_id: UUID):
    """Put a project away."""
    project = get_or_404(Project, project_id)
    project.archive(at=now())
    db.session.commit()
    return shown(project)


@api.delete("/<uuid:project_id>/archival")
@requires("projects:write")
@spec.validate(resp=Response(HTTP_200=ProjectShown), tags=["projects"])
def restore(project_id: UUID):
    """Bring a project back from the archive."""
    project = get_or_404(Project, project_id)
    project.restore()
    db.session.commit()
    return shown(project)


@api.post("/reports/")
@requires("projects:write")
@idempotent
@spec.validate(resp=Response(HTTP_202=ReportShown), tags=["projects"])
def build_report():
    """Ask for a report of all projects, built in the background."""
    report = ask_for_report()
    db.session.flush()
    return ReportShown.model_validate(report), 202


@api.get("/reports/<uuid:report_id>")
@requires("projects:read")
@spec.validate(resp=Response(HTTP_200=ReportShown), tags=["projects"])
def show_report(report_id: UUID):
    """Show a report."""
    return ReportShown.model_validate(get_or_404(Report, report_id))


def shown(project: Project, status: int = 200):
    """A project with its version for If-Match, and its address when it's new."""
    headers = {"ETag": f'"{project.version}"'}
    if status == 201:
        headers["Location"] = url_for(".show", project_id=project.id)
    return ProjectShown.model_validate(project), status, headers
