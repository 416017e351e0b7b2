"""How old a ticket is."""

from datetime import timedelta

from app.db import db
from app.features.tickets.age import age_of
from app.features.tickets.models import Ticket


def test_an_age_is_told_in_words(acme):
    acme.post("/tickets/new", data={"name": "The first"})

    with acme.serving():
        ticket = db.session.query(Ticket).one()
        assert age_of(ticket, ticket.created_at + timedelta(days=3, hours=2)) == "3 days"
        assert ticket.priority == 2
