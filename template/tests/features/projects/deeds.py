"""What people do with projects, for tests."""

from sqlalchemy import select

from app.db import db
from app.features.projects.models import Project
from tests.world import Company


def begin(company: Company, name: str, description: str = "") -> str:
    """Begin a project on its page, and answer its path inside the tenant."""
    answer = company.post("/projects/new", data={"name": name, "description": description})
    assert answer.status_code == 302, answer.text
    return answer.location.removeprefix(f"/t/{company.tenant.slug}")


def projects_of(company: Company) -> list[Project]:
    """A tenant's projects as the database has them, the oldest first."""
    with company.serving():
        return list(db.session.scalars(select(Project).order_by(Project.id)))
