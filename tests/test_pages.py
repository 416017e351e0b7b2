"""What the README, the site and a project's own docs name is there."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
TEMPLATE = REPOSITORY / "template"
OF_A_PROJECT = [TEMPLATE / "README.md", *sorted(TEMPLATE.glob("docs/**/*.md"))]
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    *sorted(REPOSITORY.glob("stages/*/README.md")),
    *sorted(REPOSITORY.glob("docs/**/*.md")),
    *OF_A_PROJECT,
]
# Names in examples: what a reader or a first run is about to make, and what a test of ours invents.
EXAMPLES = re.compile(
    r"\b(orders|invoices|tickets|notes|bell|lookout|nginx|rollout\.toml|uv\.lock)\b|[<*…]|\.\.\."
)
each_page = pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix()
)


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


@each_page
def test_every_session_of_the_template_that_a_page_names_exists(page, sessions):
    if page in OF_A_PROJECT:
        sessions = sessions_in("noxfile.py")
    text = page.read_text("utf-8")

    of_infrastructure = set(re.findall(r"infra/noxfile\.py -s ([\w()]+)", text))
    named = set(re.findall(r'(?:nox|(?<!infra/)noxfile\.py) -s "?([\w()]+)', text))

    assert named <= sessions
    assert of_infrastructure <= sessions_in("infra/noxfile.py")


def sessions_in(file: str) -> set[str]:
    noxfile = (TEMPLATE / file).read_text("utf-8")
    return set(re.findall(r"^def (\w+)\(session", noxfile, flags=re.MULTILINE))


@each_page
def test_every_file_that_a_page_links_to_exists(page):
    root = TEMPLATE if page in OF_A_PROJECT else REPOSITORY  # A project is read alone.
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text("utf-8"))
    targets = {link: (page.parent / link).resolve() for link in links}

    assert [
        link
        for link, target in targets.items()
        if not target.exists() or not target.is_relative_to(root)
    ] == []


@each_page
def test_every_path_that_a_page_names_exists(page):
    pattern = r"`((?:app|tests|docs|scripts|stages|template|benchmarks|infra)/[^`\s:]+)`"
    named = re.findall(pattern, page.read_text("utf-8"))

    assert [
        path
        for path in named
        if not EXAMPLES.search(path)
        and not (TEMPLATE / path).exists()
        and (page in OF_A_PROJECT or not (REPOSITORY / path).exists())
    ] == []


@each_page
def test_every_test_that_a_page_names_exists(page):
    named = re.findall(r"`(?:tests/\S+::)?(test_\w+)`", page.read_text("utf-8"))

    assert [name for name in named if name not in all_tests()] == []


@cache
def all_tests() -> set[str]:
    files = [*REPOSITORY.glob("tests/**/*.py"), *TEMPLATE.glob("tests/**/*.py")]
    code = "".join(file.read_text("utf-8") for file in files)
    return set(re.findall(r"def (test_\w+)\(", code)) | {file.stem for file in files}


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
