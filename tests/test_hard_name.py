"""A project whose name is hard to write starts, and shows that name as it is."""

import html
import json
import subprocess

import pytest

from scripts.demo import clean_environment
from tests.world import Project

HARD = """</title><script>alert("1")</script> {{ 1234*3 }} O'Brien & مرحبا 🚀 \\n"""
LOOK = """
import json
from app import create_app

client = create_app({"app_env": "testing"}).test_client()
paths = "/", "/login", "/signup", "/nowhere", "/openapi.json"
print(json.dumps({path: client.get(path).text for path in paths}))
"""


@pytest.fixture(scope="module")
def pages(release, tmp_path_factory) -> dict[str, str]:
    """What a browser gets from a project of that name, installed and started."""
    project = release.generate(
        tmp_path_factory.mktemp("hard") / "project", project_name=HARD, description=HARD
    )
    return json.loads(in_its_environment(project, "python", "-c", LOOK))


def in_its_environment(project: Project, *command: str) -> str:
    done = subprocess.run(
        ["uv", "run", "--quiet", "--no-group", "dev", *command],
        cwd=project.root,
        env=clean_environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("path", ["/", "/login", "/signup", "/nowhere"])
def test_every_page_shows_the_name_and_runs_none_of_it(pages, path):
    assert HARD in html.unescape(pages[path])
    assert "<script>alert" not in pages[path]
    assert "3702" not in pages[path]


def test_the_api_document_has_the_name_in_its_title(pages):
    assert json.loads(pages["/openapi.json"])["info"]["title"].startswith(HARD)
