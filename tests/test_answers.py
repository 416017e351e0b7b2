"""Whatever people call their product, every file stays valid and says exactly that."""

import json
import re
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from copier import run_copy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.world import Project, Release

NAMES = {
    "Acme Notes": "acme-notes-app",
    "Stagecoach App": "stagecoach-app",
    "App": "app",
    "Flask": "flask-app",
    "Café Zoë": "cafe-zoe-app",
    "Cafe\u0301": "cafe-app",
    "Łódź Straße": "lodz-strasse-app",
    "ИСКРА": "saas-app",
    "日本語": "saas-app",
    "🚀": "saas-app",
    "👩\u200d💻 & 🇺🇳": "saas-app",
    "مرحبا": "saas-app",
    "2048": "2048-app",
    'O\'Brien "& Sons"': "o-brien-sons-app",
    "C:\\temp\\new": "c-temp-new-app",
    "\\ud83d \\u0000": "ud83d-u0000-app",
    "{{ 7 * 7 }}": "7-7-app",
    "{% raw %}": "raw-app",
    "{# note #}": "note-app",
    "# Heading": "heading-app",
    "**bold** _it_ `code` [a](b)": "bold-it-code-a-b-app",
    "1. One": "1-one-app",
    "- item": "item-app",
    "<script>alert(1)</script>": "script-alert-1-script-app",
    "&amp; &lt;": "amp-lt-app",
    "$HOME `id` $(id)": "home-id-id-app",
    "%s %(name)s {0}": "s-name-s-0-app",
    "${7*7} #{7*7} <%= 7*7 %>": "7-7-7-7-7-7-app",
    "-rf": "rf-app",
    "--help": "help-app",
    "!!python/object:os.system": "python-object-os-system-app",
    "'; DROP TABLE users; --": "drop-table-users-app",
    "]]>-->": "saas-app",
    "[project]": "project-app",
    '"}, {"name": "x': "name-x-app",
    "\\": "saas-app",
    "@everyone": "everyone-app",
    "yes": "yes-app",
    "null": "null-app",
    "1e3": "1e3-app",
    "a: b": "a-b-app",
    "'''": "saas-app",
    '"""': "saas-app",
    "~": "saas-app",
    "../../etc": "etc-app",
    "x" * 80: "x" * 80 + "-app",
    "🚀" * 80: "saas-app",
}


@pytest.mark.parametrize(("name", "distribution"), NAMES.items())
def test_a_name_arrives_as_it_was_given(wiring, tmp_path, name, distribution):
    project = wiring.generate(tmp_path / "project", project_name=name, description=name)

    assert_says(project, name)
    assert tomllib.loads(project.read("pyproject.toml"))["project"]["name"] == distribution


def is_writable(text: str) -> bool:
    return bool(text.strip()) and text == text.strip()


writable = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Cn", "Zl", "Zp"]).filter(
        lambda c: not ("\u202a" <= c <= "\u202e" or "\u2066" <= c <= "\u2069" or c == "\ufeff")
    ),
    min_size=1,
    max_size=80,
).filter(is_writable)


@given(name=writable)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_other_name_does_too(wiring, name):
    with TemporaryDirectory() as folder:
        project = wiring.generate(Path(folder) / "project", project_name=name, description=name)

        assert_says(project, name)


def assert_says(project: Project, name: str) -> None:
    pyproject = tomllib.loads(project.read("pyproject.toml"))["project"]
    product = json.loads(project.read("app/product.json"))
    _, heading, _, _, paragraph, *_ = MarkdownIt().parse(project.read("README.md"))

    assert product == {"name": name, "description": name}
    assert pyproject["description"] == name
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", pyproject["name"])
    assert project.answers["project_name"] == name
    assert as_text(heading) == as_text(paragraph) == re.sub(" +", " ", name)


def as_text(heading) -> str:
    assert {part.type for part in heading.children} <= {"text", "text_special"}
    return re.sub(" +", " ", "".join(part.content for part in heading.children))


@pytest.mark.parametrize("field", ["project_name", "description"])
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("", "needs a name|Say in one line"),
        ("   ", "needs a name|Say in one line"),
        (" Acme", "Leave out the blank"),
        ("Acme\u00a0", "Leave out the blank"),
        ("Acme\nNotes", "one line without control characters"),
        ("Acme\tNotes", "one line without control characters"),
        ("Acme\x00Notes", "one line without control characters"),
        ("Acme\x1b[31m", "one line without control characters"),
        ("Acme\x85Notes", "one line without control characters"),
        ("Acme\u2028Notes", "one line without control characters"),
        ("Acme \u202eseton", "one line without control characters"),
        ("Acme \udcff", "one line without control characters"),
        ("x" * 201, "has 201 characters"),
    ],
)
def test_a_bad_answer_is_refused_before_anything_is_written(
    wiring: Release, tmp_path, field, answer, message
):
    answers = {"project_name": "Acme", field: answer}

    with pytest.raises(ValueError, match=message):
        wiring.generate(tmp_path / "project", **answers)

    assert not (tmp_path / "project").exists()


def test_a_name_has_room_for_80_characters(wiring, tmp_path):
    with pytest.raises(ValueError, match="80 are the most"):
        wiring.generate(tmp_path / "project", project_name="x" * 81)

    assert not (tmp_path / "project").exists()


def test_an_unknown_stage_is_refused_and_the_known_ones_are_named(wiring, tmp_path):
    with pytest.raises(ValueError, match=r"'castle' is not in \['prototype'"):
        wiring.generate(tmp_path / "project", stage="castle")

    assert not (tmp_path / "project").exists()


def test_the_name_is_asked_and_has_no_default(wiring, tmp_path):
    with pytest.raises(ValueError, match='"project_name" is required'):
        run_copy(str(wiring.root), tmp_path / "project", defaults=True, quiet=True)
