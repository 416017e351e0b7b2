"""Progress: what the API tells of a job, for clients that wait for its end."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from flask import Blueprint, Flask, abort
from pydantic import BaseModel, ConfigDict

from app import jobs
from app.access import Permission, declare, requires
from app.api import Response, spec

api = Blueprint("jobs_api", __name__, url_prefix="/api/v1/jobs")

PERMISSIONS = {"jobs:read": Permission("See how far work in the background is", member=True)}


class JobShown(BaseModel):
    """A piece of work in the background, and how far it is: `done` of `total` steps."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    state: Literal["queued", "running", "done", "failed"]
    done: int
    total: int
    created_at: datetime
    finished_at: datetime | None


def init_app(app: Flask) -> None:
    declare(app, PERMISSIONS)
    app.register_blueprint(api)


@api.get("/<uuid:job_id>")
@requires("jobs:read")
@spec.validate(resp=Response(HTTP_200=JobShown), tags=["jobs"])
def show(job_id: UUID):
    """Show how far a job is. What went wrong in one that failed is told to the operators only."""
    job = jobs.find(job_id)
    if job is None:
        abort(404)
    return JobShown.model_validate(job)
