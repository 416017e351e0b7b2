"""Gives the people of the demo a nickname."""

from app import create_app
from app.auth.models import User
from app.db import db

with create_app({"app_env": "development"}).app_context():
    for user in db.session.query(User):
        user.nickname = f"{user.name.split()[0]} the “nice”"
    db.session.commit()
