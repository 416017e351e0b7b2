"""The start: a web process loads what it serves with, and nothing that ties it to its parent."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.world import PRODUCTION

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]
MAKE_IT = """
import json, os, sys, threading
from app import create_app

def open_files():
    return set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()

before = open_files()
create_app(json.loads(sys.argv[1]))
threads = [one for one in threading.enumerate() if not isinstance(one, threading.Timer)]
opened = len(open_files() - before)
print(json.dumps({"modules": list(sys.modules), "threads": len(threads), "files": opened}))
"""


def made_in_production(folder):
    """What a process holds once the application is made."""
    settings = {**PRODUCTION, "database_url": f"sqlite:///{folder / 'none.db'}"}
    done = subprocess.run(
        [sys.executable, "-c", MAKE_IT, json.dumps(settings)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout)


def test_production_loads_nothing_that_only_development_or_a_command_needs(tmp_path):
    loaded = {name.partition(".")[0] for name in made_in_production(tmp_path)["modules"]}

    assert "sqlalchemy" in loaded
    assert not loaded & {"alembic", "mako", "stripe", "pytest"}


def test_it_may_be_forked_once_made(tmp_path):
    """`gunicorn --preload` makes it once: a connection or a thread would be lost or shared."""
    made = made_in_production(tmp_path)

    assert (made["threads"], made["files"]) == (1, 0)
