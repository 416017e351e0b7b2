"""What `flask dev` serves: the application, or a page that says why there is none."""

from flask import Flask

from app import create_app as create


def create_app() -> Flask:
    """Make the application; a refusal to start becomes an error that Flask shows as a page."""
    try:
        return create()
    except SystemExit as refusal:
        raise RuntimeError(str(refusal)) from None
