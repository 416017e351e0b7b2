"""What the README and its neighbours name is there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    *sorted(REPOSITORY.glob("stages/*/README.md")),
    *sorted(REPOSITORY.glob("docs/**/*.md")),
]


@pytest.fixture(scope="module")
def sessions() -> set[str]:
    listing = subprocess.run(
        [sys.executable, "-m", "nox", "--list"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(re.findall(r"^[*-] (\S+) ->", listing.stdout, flags=re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_session_that_a_page_names_exists(page, sessions):
    named = re.findall(r'(?:nox|noxfile\.py) -s "?([\w()]+)', page.read_text("utf-8"))

    assert set(named) <= sessions


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_file_that_a_page_links_to_exists(page):
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text("utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_sessions_that_people_rely_on_keep_their_names(sessions):
    assert {
        "demo",
        "tests",
        "stage(prototype)",
        "climb",
        "attack",
        "bench",
        "docs",
        "lint",
    } <= sessions
