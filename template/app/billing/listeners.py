"""What billing hears: what was used, from whoever meters it."""

from app.billing.calls import METERED
from app.billing.models import Metered, Usage
from app.billing.periods import month_at
from app.counting import add_to
from app.db import db
from app.events import Event, on
from app.tenancy import current_tenant


@on(METERED)
def count_what_was_used(event: Event) -> None:
    """Keep a metered fact under its event's id, and count it for the month it happened in.

    The inbox already stops a second delivery while billing shares a database with it. In a
    database of its own, billing may have committed just before a crash: then the id stops it.
    """
    if db.session.get(Metered, (current_tenant().id, event.id)) is None:
        name, count = event.facts["meter"], event.facts["count"]
        add_to(Usage, count, month=month_at(event.at).first, meter=name)
        db.session.add(Metered(id=event.id, meter=name, count=count, at=event.at))
