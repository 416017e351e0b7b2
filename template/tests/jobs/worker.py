"""`flask worker` for the tests: it knows their jobs, and takes a silent worker for dead sooner.

Run with the folder of its queue: `python -m tests.jobs.worker /tmp/queue`.
"""

import sys

from flask import Flask
from flask.cli import FlaskGroup

from app import create_app, jobs
from tests.jobs import work

if __name__ == "__main__":
    jobs.HEARTBEAT, jobs.STALE = work.HEARTBEAT, work.STALE
    Flask.auto_find_instance_path = lambda _app: sys.argv[1]
    cli = FlaskGroup(create_app=lambda: create_app({"app_env": "development"}))
    cli.main(["worker", "--threads", "1"])
