"""The peers' models of the tables that the project has filled, and what they answer."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import DateTime, ForeignKey, Select, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

PAGE = 20
# What a role may do, in memory, as the project has it.
ROLES = {"owner": {"projects:read", "projects:write"}, "member": {"projects:read"}}


class Base(DeclarativeBase):
    type_annotation_map: ClassVar = {datetime: DateTime(timezone=True)}


class User(Base):
    __tablename__ = "auth_users"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    email: Mapped[str]
    session_stamp: Mapped[str]


class Tenant(Base):
    __tablename__ = "auth_tenants"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    slug: Mapped[str]
    name: Mapped[str]


class Membership(Base):
    __tablename__ = "auth_memberships"

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("auth_tenants.id"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth_users.id"), primary_key=True)
    role: Mapped[str]


class Project(Base):
    __tablename__ = "projects"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    description: Mapped[str]
    created_by: Mapped[UUID]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]
    version: Mapped[int]


class ProjectShown(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    description: str
    created_by: UUID
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None
    version: int


class ProjectsListed(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    items: list[ProjectShown]
    next: UUID | None


def who_is(user_id: UUID, stamp: str, slug: str) -> Select[tuple[User, Tenant, Membership]]:
    """The person, the tenant of the URL and the membership, in one query."""
    return (
        select(User, Tenant, Membership)
        .join(Membership, Membership.user_id == User.id)
        .join(Tenant, Tenant.id == Membership.tenant_id)
        .where(User.id == user_id, User.session_stamp == stamp, Tenant.slug == slug)
    )


def newest(tenant_id: UUID) -> Select[tuple[Project]]:
    """A page of projects, and one more to know whether there is a next page."""
    return (
        select(Project)
        .where(Project.tenant_id == tenant_id, Project.archived_at.is_(None))
        .order_by(Project.id.desc())
        .limit(PAGE + 1)
    )


def page_of(projects: list[Project]) -> ProjectsListed:
    shown = projects[:PAGE]
    return ProjectsListed(
        items=[ProjectShown.model_validate(project) for project in shown],
        next=shown[-1].id if len(projects) > PAGE else None,
    )
