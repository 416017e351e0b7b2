"""The JSON API's plumbing: validation, the OpenAPI document, the page that shows it.

A feature's `api.py` declares its views with `spec.validate(...)` and pydantic models; the
document at /openapi.json is made from them.
"""

from flask import Flask
from spectree import SpecTree

spec = SpecTree("flask", annotations=True)


def init_app(app: Flask) -> None:
    """To be filled in: /openapi.json and /docs."""
