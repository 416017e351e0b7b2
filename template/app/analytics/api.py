"""Analytics' JSON API: the daily counts, for a spreadsheet or a dashboard of one's own."""

from datetime import date

from flask import Blueprint
from pydantic import BaseModel, Field
from spectree import Response

from app.analytics.dashboard import events_by_day_and_name
from app.analytics.periods import asked_for
from app.api import spec
from app.auth import requires
from app.tenancy import as_dicts

api = Blueprint("analytics_api", __name__, url_prefix="/api/v1/analytics")


class DaysAsked(BaseModel):
    """The days to answer; without any, the last 30 up to today (UTC)."""

    first: str = Field("", alias="from", description="The first day, such as 2026-11-01.")
    last: str = Field("", alias="to", description="The last day, included.")
    preset: str = Field("", alias="days", description="Instead: the last 7, 30 or 90 days.")


class DailyCount(BaseModel):
    """How often something happened on a day (in UTC)."""

    day: date
    name: str
    events: int


class DailyCounts(BaseModel):
    """What happened in a period; days on which something didn't happen are left out."""

    first: date
    last: date
    items: list[DailyCount]


@api.get("/daily")
@requires("analytics:read")
@spec.validate(resp=Response(HTTP_200=DailyCounts), tags=["analytics"])
def daily(query: DaysAsked):
    """Count what happened, by day and name."""
    period = asked_for(query.model_dump(by_alias=True))
    return DailyCounts(
        first=period.first,
        last=period.last,
        items=[DailyCount(**row) for row in as_dicts(events_by_day_and_name(period))],
    )
