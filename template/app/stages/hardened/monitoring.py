"""What Prometheus hears of this stage, besides what its parts count as it happens.

Each is asked anew at a look, and costs one small question: whether the walls stand, and whether
something that was begun on a tenant waits for somebody. docs/hardened/alerts.md lists them.
"""

from collections.abc import Iterator
from datetime import datetime

from flask import Flask, current_app
from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import func, or_, select

from app.db import db, now
from app.stages.hardened.walls import start
from app.stages.services.events.metrics import gauge
from app.stages.services.observe import names


def init_app(app: Flask) -> None:
    sources = app.extensions.setdefault("metrics_sources", {})
    sources["walls"] = of_walls
    if "auth" in app.extensions["serves"]:
        sources["operations"] = of_operations
        sources["moves"] = of_moves


def of_walls() -> Iterator[Metric]:
    """Whether this service's database keeps tenants apart; looked at every half a minute."""
    well = start.verdict(current_app) == "ok"
    service, _release = names.ours()
    open_ones = 0 if well else len(start.findings())
    yield gauge("walls_open", "Findings of `flask walls` in its database.", open_ones, service)


def of_operations() -> Iterator[Metric]:
    """Operations that were begun and that nobody is at: killed, or stopped by an error."""
    from app.stages.hardened.lifecycle.models import Operation

    seconds = GaugeMetricFamily(
        "tenant_operations_waiting_seconds",
        "Since when the oldest operation of a kind waits for somebody to go on with it.",
        labels=["kind"],
    )
    since = func.min(func.coalesce(Operation.held_until, Operation.created_at))
    left = or_(Operation.held_until.is_(None), Operation.held_until < now())
    asked = select(Operation.kind, since).where(Operation.state.in_(("running", "stopped")), left)
    for kind, oldest in db.session.execute(asked.group_by(Operation.kind)):
        seconds.add_metric([kind], age(oldest))
    yield seconds


def of_moves() -> Iterator[Metric]:
    """Moves that are under way; one that soaks waits for an operator on purpose."""
    from app.stages.hardened.moving.models import OPEN, Move

    seconds = GaugeMetricFamily(
        "tenant_moves_open_seconds",
        "Since when the oldest move of a state is under way.",
        labels=["state"],
    )
    since = func.min(func.coalesce(Move.switched_at, Move.created_at))
    asked = select(Move.state, since).where(Move.state.in_(OPEN)).group_by(Move.state)
    for state, oldest in db.session.execute(asked):
        seconds.add_metric([state], age(oldest))
    yield seconds


def age(since: datetime) -> float:
    return max(0.0, (now() - since).total_seconds())
