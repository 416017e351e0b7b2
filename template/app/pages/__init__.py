"""Pages owns the frame of every page: layout, navigation, static files, the start page."""

from flask import Flask

from app.pages import assets, context, styleguide
from app.pages.nav import NavEntry, add_entry
from app.pages.views import bp

__all__ = ["NavEntry", "add_entry"]


def init_app(app: Flask) -> None:
    app.extensions["nav"] = []
    app.register_blueprint(bp)
    assets.init_app(app)
    styleguide.init_app(app)
    context.init_app(app)
