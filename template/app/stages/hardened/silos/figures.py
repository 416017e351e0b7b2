"""The fleet in figures, for Prometheus: from what was seen last, so that a look costs no visit.

No service waits for its silos (`/readyz` says nothing of them), so these say who is behind.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import func, select

from app.db import db
from app.stages.hardened.catalog.models import PlacementRow
from app.stages.hardened.silos.models import Seen

if TYPE_CHECKING:
    from app.stages.hardened.silos.seen import Behind


def of_silos() -> Iterator[Metric]:
    """Only auth knows: its database remembers the fleet."""
    silos = gauge("silos", "Silos that were seen.")
    late = gauge("silos_behind", "Silos that lack migrations or walls of this code.")
    away = gauge("silos_away", "Silos whose last visit failed.")
    for one in standing():
        silos.add_metric([one.service], one.silos)
        late.add_metric([one.service], one.behind)
        away.add_metric([one.service], one.away)
    unseen = gauge("silos_unseen", "Silos that workspaces are placed in and nobody has looked at.")
    for service, count in db.session.execute(UNSEEN):
        unseen.add_metric([service], count)
    yield from (silos, late, away, unseen)


def standing() -> list["Behind"]:
    """How the silos that were seen stand to this code."""
    if db.session.scalar(select(Seen.place).limit(1)) is None:
        return []
    from app.stages.hardened.silos.seen import behind  # With it comes Alembic, slow to import.

    return behind(db.session.connection())


def gauge(name: str, what: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, what, labels=["of"])


UNSEEN = (
    select(PlacementRow.service, func.count())
    .outerjoin(Seen, Seen.place == PlacementRow.target)
    .where(PlacementRow.target != "", Seen.place.is_(None))
    .group_by(PlacementRow.service)
)
