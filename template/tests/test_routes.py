"""`flask routes`, which says who may call what."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def test_it_says_who_may_call_each_route(app):
    shown = app.test_cli_runner().invoke(args=["routes"]).output.splitlines()

    lines = {line.split()[-1]: " ".join(line.split()[1:-1]) for line in shown}
    assert lines["auth.invite"] == "POST members:write (owners)"
    assert lines["auth.members"] == "GET members:read (members)"
    assert lines["auth.login"] == "GET, POST anybody"
    assert lines["auth.tenants"] == "GET anybody signed in"


@pytest.mark.processes
def test_it_stands_in_for_flasks_own_command(database_url):
    settings = {"FLASK_APP": "app", "APP_ENV": "testing", "DATABASE_URL": database_url}
    shown = subprocess.run(
        [sys.executable, "-m", "flask", "routes"],
        cwd=Path(__file__).parents[1],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "members:write (owners)" in shown.stdout
