"""What we added to the template's own parts."""

from app.auth.models import User
from app.db import db
from sqlalchemy import select


def test_people_have_a_nickname(app, acme):
    with app.app_context():
        ada = db.session.scalars(select(User)).one()
        ada.nickname = "The Countess"
        db.session.commit()

        assert db.session.scalars(select(User.nickname)).one() == "The Countess"


def test_every_page_says_when_we_move(acme):
    assert "We move house on Friday." in acme.get("/projects/").text


def test_the_region_is_in_the_configuration(app):
    assert app.config["REGION"] == "eu-west"
    assert app.config["SETTINGS"].support_email == "help@example.com"
