"""What the tests let gunicorn serve: the application with a slow page and a page that asks for a
job. Its instance folder is SERVED_INSTANCE."""

import os
import time

import structlog
from flask import Flask, request
from sqlalchemy import insert

from app import create_app as create
from app.access import public, requires
from app.audit import AuditRow
from app.db import db, new_id
from app.jobs import later
from app.tenancy import current_tenant
from tests.jobs import work


def create_app() -> Flask:
    Flask.auto_find_instance_path = lambda _app: os.environ["SERVED_INSTANCE"]
    app = create()
    app.add_url_rule("/slow", view_func=slow, methods=["GET", "POST"])
    app.add_url_rule("/job", view_func=job)
    app.add_url_rule("/broken", view_func=broken)
    return app


@public
def slow():
    structlog.get_logger().info("slow began")
    time.sleep(float(request.args["seconds"]))
    return {"process": os.getpid()}


# No form, so that programs may write here without a token.
slow.signed_by_sender = True


@public
def job():
    row = later(work.say_where)
    db.session.commit()
    return {"job": str(row.id)}


@requires("workspace:read")
def broken():
    """Break a rule of the database with a value that's nobody's business."""
    same = new_id()
    for _ in range(2):
        db.session.execute(
            insert(AuditRow).values(
                id=same,
                tenant_id=current_tenant().id,
                action="x",
                target="ValueKeptSecret",
                details="",
                request_id="",
            )
        )
    return {}
