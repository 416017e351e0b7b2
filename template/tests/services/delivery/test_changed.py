"""Which checks a change needs: never fewer than it can break."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.delivery import changed
from scripts.delivery.changed import IMPORTED_BY, SERVICES, needed_for

PROJECT = Path(__file__).parents[3]
ALL = set(SERVICES)


@pytest.mark.parametrize(
    ("path", "services"),
    [
        ("app/features/notes/views.py", {"features"}),
        ("app/billing/calls.py", {"billing", "features"}),
        ("app/analytics/models.py", {"analytics", "features"}),
        ("app/auth/models.py", ALL),
        ("app/migrations/versions/billing_0002_coupons.py", {"billing", "features"}),
        ("app/migrations/versions/shared_0002_more.py", ALL),
        ("app/db.py", ALL),
        ("app/stages/services/client.py", ALL),
        ("tests/billing/test_plans.py", {"billing"}),
        ("tests/isolation/test_walls.py", {"auth"}),
        ("tests/conftest.py", ALL),
        ("tests/services/wire/test_doors.py", ALL),
        ("uv.lock", ALL),
        ("docs/services.md", set()),
        ("app/features/README.md", set()),
        ("infra/helm/values.yaml", set()),
        (".github/workflows/release.yml", set()),
        ("somewhere/new.py", ALL),
    ],
)
def test_a_change_needs_the_checks_of_whom_it_can_break(path, services):
    assert needed_for([path]).services == services


def test_nobody_imports_a_package_without_being_checked_with_it():
    """The arrows that are written down are those of the code."""
    for package in SERVICES:
        importers = {other for other in ALL - {package} if imports(other, package)}

        assert importers <= set(IMPORTED_BY[package]), f"{importers} import {package}"


def imports(package: str, other: str) -> bool:
    files = (PROJECT / "app" / package).rglob("*.py")
    return any(
        isinstance(node, ast.ImportFrom)
        and (
            f"{node.module}.".startswith(f"app.{other}.")
            or (node.module == "app" and other in {alias.name for alias in node.names})
        )
        for file in files
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
    )


def test_each_folder_of_tests_belongs_to_a_service_or_to_all():
    """A folder that nobody names would be run with every service, and so never be forgotten."""
    for service in SERVICES:
        for place in changed.tests_of(service):
            assert (PROJECT / place).is_dir()


def test_what_the_infrastructure_reads_is_there():
    missing = [path for path in changed.READ_BY_INFRASTRUCTURE if not (PROJECT / path).exists()]

    assert missing in ([], ["uv.lock"])


def test_infrastructure_is_checked_by_its_parts(monkeypatch):
    monkeypatch.setattr(changed, "parts", lambda: ("helm", "image", "terraform", "workflows"))

    assert needed_for(["infra/helm/values.yaml"]).infrastructure == {"helm"}
    assert needed_for(["infra/tests/terraform/test_plan.py"]).infrastructure == {"terraform"}
    assert needed_for(["infra/pyproject.toml"]).infrastructure == set(changed.parts())
    assert needed_for(["infra/costs/sizes.yaml"]).infrastructure == {"terraform"}
    assert needed_for(["docs/deploy.md"]).infrastructure == {"workflows"}
    assert needed_for(["docs/auth.md"]).infrastructure == set()
    assert needed_for(["Dockerfile"]).infrastructure == {"image"}
    assert needed_for(["app/settings.py"]).infrastructure == {"helm", "terraform"}
    assert needed_for([".github/workflows/ci.yml"]).infrastructure == {"workflows"}


def test_what_changed_is_told_from_where_the_branch_began(repository):
    repository.commit("app/auth/models.py")
    repository.git("checkout", "--quiet", "-b", "change")
    repository.commit("app/features/notes.py")
    repository.git("checkout", "--quiet", "main")
    repository.commit("app/auth/views.py")
    repository.git("checkout", "--quiet", "change")

    assert changed.paths_since("main") == ["app/features/notes.py"]


def test_both_ends_of_a_move_count(repository):
    first = repository.commit("app/auth/secrets.py")
    (repository.folder / "app/features").mkdir()
    repository.git("mv", "app/auth/secrets.py", "app/features/secrets.py")
    repository.commit()

    assert changed.paths_since(first) == ["app/auth/secrets.py", "app/features/secrets.py"]


def test_a_project_may_lie_in_a_folder_of_a_larger_repository(repository, monkeypatch):
    first = repository.commit("product/app/db.py", "elsewhere/app/db.py")
    repository.commit("product/app/auth/models.py", "elsewhere/app/db.py")
    monkeypatch.setattr(changed, "PROJECT", repository.folder / "product")

    assert changed.paths_since(first) == ["app/auth/models.py"]


@pytest.mark.parametrize("commit", ["origin/gone", "0" * 40])
def test_since_a_commit_that_is_unknown_everything_is_checked(repository, commit, capsys):
    repository.commit("app/db.py")

    assert changed.paths_since(commit) is None
    assert "so everything is checked" in capsys.readouterr().err


@pytest.mark.parametrize("since", [[], ["--since", "0" * 40]])
def test_without_a_commit_everything_is_checked(since):
    command = [sys.executable, "-m", "scripts.delivery", "changed", *since]
    said = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True).stdout

    matrix = json.loads(said)
    assert [entry["service"] for entry in matrix["services"]] == list(SERVICES)
    assert "workflows" in matrix["infrastructure"]
