"""The peer: FastAPI with SQLAlchemy's Session in plain functions, which run in its threads."""

import os
from collections.abc import Callable, Iterator
from typing import Annotated
from uuid import UUID

from fastapi import Depends, FastAPI, HTTPException, Request
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from starlette.middleware.sessions import SessionMiddleware
from tables import ROLES, Membership, ProjectsListed, newest, page_of, who_is

engine = create_engine(os.environ["DATABASE_URL"], pool_size=10)
app = FastAPI()
app.add_middleware(SessionMiddleware, secret_key=os.environ["SECRET_KEY"])


def get_session() -> Iterator[Session]:
    with Session(engine) as session:
        yield session


SessionDep = Annotated[Session, Depends(get_session)]


def member(slug: str, request: Request, session: SessionDep) -> Membership:
    """Who asks, as a member of the tenant in the URL."""
    if "user_id" not in request.session:
        raise HTTPException(401)
    user_id, stamp = UUID(request.session["user_id"]), request.session["stamp"]
    found = session.execute(who_is(user_id, stamp, slug)).one_or_none()
    if found is None:
        raise HTTPException(404)
    return found.Membership


def may(permission: str) -> Callable[..., Membership]:
    def guard(asking: Annotated[Membership, Depends(member)]) -> Membership:
        if permission not in ROLES[asking.role]:
            raise HTTPException(403)
        return asking

    return guard


@app.get("/healthz")
def healthz() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/t/{slug}/api/v1/projects/")
def projects(
    asking: Annotated[Membership, Depends(may("projects:read"))], session: SessionDep
) -> ProjectsListed:
    return page_of(list(session.scalars(newest(asking.tenant_id))))
