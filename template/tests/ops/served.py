"""What the tests let gunicorn serve: the application with a slow page and a page that asks for a
job. Its instance folder is SERVED_INSTANCE."""

import os
import time

import structlog
from flask import Flask, request

from app import create_app as create
from app.access import public
from app.db import db
from app.jobs import later
from tests.jobs import work


def create_app() -> Flask:
    Flask.auto_find_instance_path = lambda _app: os.environ["SERVED_INSTANCE"]
    app = create()
    app.add_url_rule("/slow", view_func=slow)
    app.add_url_rule("/job", view_func=job)
    return app


@public
def slow():
    structlog.get_logger().info("slow began")
    time.sleep(float(request.args["seconds"]))
    return {"process": os.getpid()}


@public
def job():
    row = later(work.say_where)
    db.session.commit()
    return {"job": str(row.id)}
