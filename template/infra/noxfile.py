"""The checks of the infrastructure, from the project's root:

    uv run nox -f infra/noxfile.py              # all of them
    uv run nox -f infra/noxfile.py -s helm      # one

Each needs other tools and another kind of machine. A test that can't run where you are is
skipped, and the last lines say why.
"""

import nox

nox.options.default_venv_backend = "none"  # uv makes infra's environment, from infra/uv.lock.
# What uv would take for the environment that is meant: the application's, which runs nox.
OF_THE_APPLICATION = dict.fromkeys(["VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT"])


@nox.session
def workflows(session: nox.Session) -> None:
    """Check the pipelines: their form, their pins, and that each command they call exists."""
    check(session, "workflows")


@nox.session
def helm(session: nox.Session) -> None:
    """Render the chart for every environment, and check each manifest."""
    check(session, "helm")


@nox.session
def terraform(session: nox.Session) -> None:
    """Check the Terraform modules, and apply them to a server that plays AWS."""
    check(session, "terraform")


@nox.session
def image(session: nox.Session) -> None:
    """Build the image as it is, and run it locked up as in production."""
    check(session, "image")


@nox.session
def observability(session: nox.Session) -> None:
    """Check the alerts, and let a real Prometheus compute the rules over a real service."""
    check(session, "observability")


def check(session: nox.Session, part: str) -> None:
    """Run the tests of one part; `-rs` says what was skipped, and why."""
    chosen = session.posargs or [f"tests/{part}"]
    session.run("uv", "run", "pytest", "-rs", *chosen, env=OF_THE_APPLICATION)
