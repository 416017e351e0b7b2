"""A fresh project: whole, valid, and nothing of the template's workshop left in it."""

import json
import re
import tomllib

import pytest
import yaml

from tests.world import ORDINARY, git

JINJA = re.compile(r"\{%[-+]?\s*\w+|\{\{[-+]?\s*_?copier|\{\{[-+]?\s*project_name")
VENDORED = "app/pages/static/swagger/"
OWN_JINJA = {".html", ".txt", ".j2", ".mako", ".xml"}  # The application's own templates.


def test_no_template_code_is_left(prototype):
    left = [
        path
        for path, content in prototype.files.items()
        if not path.endswith(tuple(OWN_JINJA))
        and not path.startswith("docs/")
        and JINJA.search(content.decode("utf-8", "replace"))
    ]

    assert left == []
    assert not [path for path in prototype.files if path.endswith(".jinja") or "{" in path]


def test_no_mark_of_a_conflict_is_left(prototype):
    marks = re.compile(rb"^(<{7}|>{7}) ", re.MULTILINE)

    assert [path for path, content in prototype.files.items() if marks.search(content)] == []


def test_no_folder_is_empty(prototype):
    """Python would import it as a package."""
    assert [
        path for path in prototype.root.rglob("*") if path.is_dir() and not any(path.iterdir())
    ] == []


def test_every_file_of_the_tree_arrives_with_the_last_stage(last, release):
    expected = {
        file.relative_to("template").as_posix().removesuffix(".jinja")
        for file in release.tracked("template")
    }
    expected = {name for name in expected if "{{" not in name} | {".copier-answers.yml"}

    assert set(last.files) == expected


@pytest.mark.parametrize("path", [".venv", ".env", "uv.lock", "instance", ".pytest_cache"])
def test_what_a_machine_makes_is_never_shipped(prototype, path):
    assert not (prototype.root / path).exists()


def test_every_toml_json_and_yaml_file_reads(prototype):
    readers = {
        ".toml": tomllib.loads,
        ".json": json.loads,
        ".yaml": lambda text: list(yaml.safe_load_all(text)),
        ".yml": lambda text: list(yaml.safe_load_all(text)),
    }

    for path in prototype.files:
        read = readers.get("." + path.rpartition(".")[2])
        if read and "devcontainer" not in path:  # That one is JSON with comments.
            read(prototype.read(path))


def test_every_text_file_ends_its_last_line_once(prototype):
    odd = [
        path
        for path, content in prototype.files.items()
        if content and b"\0" not in content and not path.endswith(".svg")
        if not path.startswith(VENDORED)
        if not content.endswith(b"\n") or content.endswith(b"\n\n") or b"\r" in content
    ]

    assert odd == []


def test_python_never_holds_an_answer(release):
    """It reads app/product.json instead, so the tree is importable as it lies."""
    assert [file for file in release.tracked("template") if file.name.endswith(".py.jinja")] == []


def test_the_plain_twin_of_a_jinja_file_is_what_ordinary_answers_give(last, release):
    rendered = [file for file in release.tracked("template") if file.suffix == ".jinja"]
    twins = {
        file.relative_to("template").with_suffix("").as_posix(): file.with_suffix("")
        for file in rendered
        if "{{" not in file.name and file.name != "stages.json.jinja"  # Made of the manifests.
    }

    assert "pyproject.toml" in twins
    for path, twin in twins.items():
        assert (release.root / twin).read_text("utf-8") == last.read(path), path


def test_the_answers_file_records_what_was_asked_and_the_stage_reached(prototype):
    assert {key for key in prototype.answers if not key.startswith("_")} == {
        "project_name",
        "description",
        "stage",
        "reached",
    }
    assert prototype.answers["reached"] == prototype.answers["stage"] == "prototype"
    assert prototype.answers["_commit"] == "v9999.0.0"


def test_generating_twice_gives_the_same(release, prototype, tmp_path):
    again = release.generate(tmp_path / "again", **ORDINARY)

    assert again.files == prototype.files


def test_git_would_keep_every_generated_file(project):
    """A file that the project's own .gitignore hides would be lost with the first clone."""
    kept = set(filter(None, git(project.root, "ls-files", "-z").split("\0")))

    assert kept == set(project.files)
