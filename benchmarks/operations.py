"""What a feature does through its session, by `WHERE` alone and behind the walls, in turns.

Imported in the project's own environment, once its `app` can be imported.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any
from unittest.mock import patch
from uuid import UUID

from app import create_app
from app.db import close_connections, db
from app.features.projects.listing import page_of
from app.features.projects.models import Project, count
from app.stages.hardened.walls import transactions
from app.tenancy import Tenant, get_or_404, serving
from flask import Flask
from sqlalchemy import Connection, select

BLOCK, WARM_UP = 50, 5  # Operations of one way before another has its turn; the first don't count.
LISTED = 50
TENANTS = """
SELECT id, slug, name, (SELECT p.id FROM projects p WHERE p.tenant_id = t.id OFFSET 10 LIMIT 1)
FROM auth_tenants t WHERE EXISTS (SELECT FROM projects p WHERE p.tenant_id = t.id) ORDER BY t.id
"""
Enter = Callable[[Connection, UUID, str], None]


def begin_alone(connection: Connection, tenant_id: UUID, before: str) -> None:
    """A transaction that knows of no tenant: its statements narrow themselves."""
    if before:
        transactions.say(connection, "BEGIN")
    connection.info[transactions.HERE] = tenant_id


def begin_with_setting(connection: Connection, tenant_id: UUID, before: str) -> None:
    """What the policies compare with, and nothing else."""
    transactions.say(connection, f"{before}SET LOCAL app.tenant_id = '{tenant_id}'")
    connection.info[transactions.HERE] = tenant_id


def list_some(_project_id: UUID) -> object:
    newest = select(Project).order_by(Project.id.desc()).limit(LISTED)
    return db.session.scalars(newest).all()


def show(project_id: UUID) -> object:
    return get_or_404(Project, project_id)


def count_all(_project_id: UUID) -> object:
    return count()


def create(someone_id: UUID) -> None:
    db.session.add(Project(name="New", description="About it.", created_by=someone_id))
    db.session.flush()


def list_prepared(_project_id: UUID) -> object:
    return page_of(size=LISTED).projects


OPERATIONS: dict[str, Callable[[UUID], object]] = {
    "list": list_some,
    "detail": show,
    "count": count_all,
    "create": create,
    "list, prepared": list_prepared,
}


def measure(admin: Any, url: str, turns: int) -> dict[str, dict[str, float]]:
    """The median of each operation in µs by WHERE alone, and its ratios behind the walls.

    The role `passes` is one that no policy holds.
    """
    rows = admin.execute(TENANTS).fetchall()
    asked = [(Tenant(id=id_, slug=slug, name=name), one) for id_, slug, name, one in rows]
    with an_app(url.replace("://app@", "://passes@")) as alone, an_app(url) as walled:
        ways = [
            (alone, begin_alone),
            (walled, begin_with_setting),
            (walled, transactions.enter),
        ]
        return {
            name: summed(in_turns(operation, ways, asked, turns))
            for name, operation in OPERATIONS.items()
        }


@contextmanager
def an_app(url: str) -> Iterator[Flask]:
    app = create_app(
        {"app_env": "testing", "database_url": url, "secret_key": secrets.token_urlsafe(32)}
    )
    try:
        yield app
    finally:
        close_connections(app)


def in_turns(
    operation: Callable[[UUID], object],
    ways: list[tuple[Flask, Enter]],
    asked: list[tuple[Tenant, UUID]],
    turns: int,
) -> list[list[float]]:
    """The seconds that an operation takes, for each way."""
    taken: list[list[float]] = [[] for _ in ways]
    for turn in range(turns + 1):  # In the first one connections are made.
        some = [asked[(turn * BLOCK + n) * 7 % len(asked)] for n in range(BLOCK)]
        # Whoever comes first finds the rows on the disk, so the first does it once more, uncounted;
        # and each way is first as often.
        for nth, place in enumerate((turn, *range(turn, turn + len(ways)))):
            app, enter = ways[place % len(ways)]
            with patch.object(transactions, "enter", enter):
                seconds = [timed(app, operation, *one) for one in some]
            if turn and nth:
                taken[place % len(ways)] += seconds[WARM_UP:]
    return taken


def timed(
    app: Flask, operation: Callable[[UUID], object], tenant: Tenant, project_id: UUID
) -> float:
    """Seconds from the tenant's coming to the end of its transaction, which is taken back."""
    started = time.perf_counter()
    with app.app_context(), serving(tenant):
        operation(project_id)
        db.session.rollback()
    return time.perf_counter() - started


def summed(taken: list[list[float]]) -> dict[str, float]:
    alone, setting, fenced = (median(way) for way in taken)
    return {
        "WHERE alone, µs": round(alone * 1e6),
        "with the tenant set": round(setting / alone, 3),
        "with the fence": round(fenced / alone, 3),
    }
