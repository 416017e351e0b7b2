"""`flask feature new`: a feature that runs, is tested and is walled off before it's touched."""

import os
import subprocess
import sys
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

from app import features
from app.dev.scaffold import Naming, singular_of
from tests.world import PRODUCTION

ROOT = Path(__file__).parents[2]
LEFT_OUT = ignore_patterns(".venv", "instance", "__pycache__", ".*_cache", ".hypothesis")
# The variables of the pytest that runs this must not reach the one in the copy.
OURS = ("PYTEST", "TEST_", "COV_")
# The tests that hold for any feature: in the API's document, and behind the tenants' wall.
EVERY_FEATURES = (
    "tests/api/test_document.py",
    "tests/isolation/test_permissions.py",
    "tests/isolation/test_walls.py::test_no_route_shows_or_changes_another_tenants_rows[member]",
)


@pytest.fixture
def project(tmp_path):
    """A copy of this project, to write into."""
    return Path(copytree(ROOT, tmp_path / "project", ignore=LEFT_OUT))


def run(project, *command: str) -> str:
    """Run a program of this environment in the copy; it must end well."""
    program, *rest = command
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    settings = {"DATABASE_URL": f"sqlite:///{project}/app.db", "APP_ENV": "development"}
    done = subprocess.run(
        [sys.executable, "-m", program, *rest],
        cwd=project,
        env=kept | settings,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.processes
def test_a_new_feature_passes_every_check_before_it_is_touched(project):
    said = run(project, "flask", "feature", "new", "purchase_orders")

    assert "app/features/purchase_orders/models.py" in said
    assert "flask db upgrade" in said
    run(project, "ruff", "check", ".")
    run(project, "ruff", "format", "--check", ".")
    run(project, "flask", "db", "upgrade")
    run(project, "flask", "db", "check")
    run(project, "pytest", "tests/features/purchase_orders", *EVERY_FEATURES)


BAD_NAMES = {
    "Orders": "lower-case letters",
    "../orders": "lower-case letters",
    "orders-2": "lower-case letters",
    "2orders": "lower-case letters",
    "bestellübersichten": "lower-case letters",
    "o" * 41: "at most 40",
    "class": "a word of Python's",
    "news": "--singular",
    "equipment": "--singular",
    "requests": "--singular",
    "migrations": "is there already",
    "members": "The address /members is taken",
    "billing_rules": "would belong to the template",
}


@pytest.mark.parametrize(("name", "reason"), BAD_NAMES.items(), ids=BAD_NAMES)
def test_a_name_that_will_not_do_is_refused_and_nothing_written(app, name, reason):
    before = sorted((ROOT / "app/features").rglob("*.py"))

    answer = app.test_cli_runner().invoke(args=["feature", "new", name])

    assert answer.exit_code
    assert reason in " ".join(answer.output.split())
    assert sorted((ROOT / "app/features").rglob("*.py")) == before


def test_what_fails_half_way_leaves_nothing_behind(app, monkeypatch, tmp_path):
    places = tmp_path / "code", tmp_path / "tests"
    monkeypatch.setattr("app.dev.scaffold.folders_of", lambda _naming: places)
    monkeypatch.setattr("app.dev.scaffold.write_migration", breaks)

    answer = app.test_cli_runner().invoke(args=["feature", "new", "halves"])

    assert isinstance(answer.exception, RuntimeError)
    assert list(tmp_path.iterdir()) == []


def breaks(*_):
    raise RuntimeError("The disk is full.")


@pytest.mark.parametrize(
    ("plural", "singular"),
    [
        ("orders", "order"),
        ("companies", "company"),
        ("addresses", "address"),
        ("boxes", "box"),
        ("batches", "batch"),
        ("houses", "house"),
        ("purchase_orders", "purchase_order"),
    ],
)
def test_the_singular_is_guessed(plural, singular):
    assert singular_of(plural) == singular


def test_names_are_written_as_code_and_as_words():
    naming = Naming("purchase_orders", "purchase_order")

    text = naming.fill("class Thing: # THINGS_TITLE, THING_TEXT; things.thing_id, ThingsListed")

    assert text == (
        "class PurchaseOrder: # Purchase orders, purchase order; "
        "purchase_orders.purchase_order_id, PurchaseOrdersListed"
    )


def test_the_features_are_listed(app):
    answer = app.test_cli_runner().invoke(args=["feature", "list"])

    assert [line.split()[0] for line in answer.output.splitlines()] == features.names()


def test_production_has_no_such_command(make_app):
    assert "feature" not in make_app(**PRODUCTION).cli.commands
