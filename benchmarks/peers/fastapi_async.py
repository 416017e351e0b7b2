"""The peer's other half: FastAPI with SQLAlchemy's AsyncSession on asyncpg."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated
from uuid import UUID

from fastapi import Depends, FastAPI, HTTPException, Request
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from starlette.middleware.sessions import SessionMiddleware
from tables import ROLES, Membership, ProjectsListed, newest, page_of, who_is

engine = create_async_engine(os.environ["DATABASE_URL"], pool_size=10)
new_session = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()
app.add_middleware(SessionMiddleware, secret_key=os.environ["SECRET_KEY"])


async def get_session() -> AsyncIterator[AsyncSession]:
    async with new_session() as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(get_session)]


async def member(slug: str, request: Request, session: SessionDep) -> Membership:
    """Who asks, as a member of the tenant in the URL."""
    if "user_id" not in request.session:
        raise HTTPException(401)
    user_id, stamp = UUID(request.session["user_id"]), request.session["stamp"]
    found = (await session.execute(who_is(user_id, stamp, slug))).one_or_none()
    if found is None:
        raise HTTPException(404)
    return found.Membership


def may(permission: str) -> Callable[..., Awaitable[Membership]]:
    async def guard(asking: Annotated[Membership, Depends(member)]) -> Membership:
        if permission not in ROLES[asking.role]:
            raise HTTPException(403)
        return asking

    return guard


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/t/{slug}/api/v1/projects/")
async def projects(
    asking: Annotated[Membership, Depends(may("projects:read"))], session: SessionDep
) -> ProjectsListed:
    return page_of(list(await session.scalars(newest(asking.tenant_id))))
