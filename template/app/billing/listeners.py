"""What billing hears: what was used, from whoever meters it, and who is about to join."""

from app import auth
from app.billing import usage
from app.billing.calls import METERED, limit, plan_name
from app.billing.jobs import report
from app.billing.payments.driver import is_running, payments
from app.billing.plans import plans
from app.billing.refusals import LimitReached
from app.billing.subscriptions import GRANTED, grant, subscription
from app.errors import Unavailable
from app.events import Event, on
from app.jobs import later

auth.rides_along("plan", plan_name)


@on(METERED)
def count_what_was_used(event: Event) -> None:
    """Count a metered fact under its event's id; whoever bills for it is told by a job.

    The inbox already stops a second delivery while billing shares a database with it. In a
    database of its own, billing may have committed just before a crash: then the id stops it.
    """
    fact = usage.count(event.facts["meter"], event.facts["count"], event.at, event.id)
    if fact is None:
        return
    if payments().wants_usage and is_running(subscription()):
        later(report)
    else:
        fact.told_at = event.at  # There is nobody to tell.


@on(GRANTED)
def grant_what_was_granted_elsewhere(event: Event) -> None:
    """Put the tenant on a plan that another service granted it."""
    grant(event.facts["plan"])


@auth.before_joining
def refuse_more_than_fit(people: int) -> None:
    """Refuse one person more than the plan has room for, if the plans limit members at all."""
    try:
        most = limit("members") if "members" in plans().limits else None
    except Unavailable:
        return  # An outage of ours must not keep people from their work.
    if most is not None and people > most:
        raise LimitReached(f"Your plan has room for {most} people, open invitations included.")
