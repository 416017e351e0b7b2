"""Every check has a name here; `nox -l` lists them.

Without nox: `python3 noxfile.py` brings it along, and takes the same options.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))

if __name__ == "__main__":
    from scripts import bootstrap

    bootstrap.run_nox(__file__)

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from shutil import disk_usage
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any

import nox

from scripts.summary import check, counted_tests

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"

PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
ORDER = re.compile(r"^order: (\d+)$", re.MULTILINE)
STAGES = sorted(
    (path.parent.name for path in ROOT.glob("stages/*/stage.yml")),
    key=lambda name: int(ORDER.search((ROOT / "stages" / name / "stage.yml").read_text())[1]),
)
WITHIN = ROOT / "scripts" / "within.py"
MEMORY = Path("/dev/shm")  # noqa: S108  # Files in memory, on Linux.
# The checks start some thousand Pythons. Where bytecode isn't kept, each compiles everything anew,
# which is a third of its start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# By these nox tells uv to install everything into the session's environment.
OF_NOX = ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "UV_PYTHON")
# Everything a project checks, it checks under a name that is hard to write.
HARD_NAME = 'O\'Brien & "Söhne" <b>{{ 7*7 }}</b> מרחבא 🚀'
# The sessions of a project that check what it is deployed with.
INFRASTRUCTURE = ("nox", "-f", "infra/noxfile.py", "-s")
# Those of a project's own sessions that need one processor, and those that start much.
FORM = ("nox", "-s", "lint", "types", "contracts", "migrations")
BETWEEN = ("journey", "--", "tests/journey")
LAST = ("postgres", "processes", "journey")
each_stage = nox.parametrize("stage", [nox.param(name, id=name) for name in STAGES])


# --- Try it --------------------------------------------------------------------------------------


@check(default=False)
def demo(session: nox.Session) -> None:
    """Generate a project into ./demo and run it (-- --once, --stage, --name, --dir)."""
    install(session, "generate")
    session.run("python", "scripts/demo.py", *session.posargs, interrupt_timeout=25)


# --- What a pull request must pass ---------------------------------------------------------------


@check()
def lint(session: nox.Session) -> None:
    """Check the form of everything: Python, spelling, workflows, pre-commit."""
    install(session, "lint")
    for tree in (".", "template"):
        session.run("ruff", "check", tree)
        session.run("ruff", "format", "--check", tree)
    session.run("codespell")
    session.run("zizmor", "--offline", "--quiet", ".", "template")
    session.run("pre-commit", "validate-config", *found(".pre-commit-config.yaml"))


@check()
def tests(session: nox.Session) -> None:
    """Test the template: answers, manifests, what is generated, these tools."""
    install(session, "tests")
    pytest(session, "tests", "--ignore=tests/climb")


@check()
def climb(session: nox.Session) -> None:
    """Test the climb: teams climb with all they made and their data; nothing goes back."""
    install(session, "tests")
    pytest(session, "tests/climb")


@check()
@each_stage
def stage(session: nox.Session, stage: str) -> None:
    """Generate that stage and run everything that the project itself checks.

    The first stage whole. A stage in between is part of the last one, which runs its tests, too;
    so here it shows that it stands by itself, and a browser walks through all of it at once. The
    last one has its walls in PostgreSQL, so its tests run there.
    """
    with generated(session, stage) as project, quick_folder() as quick:
        if stage == STAGES[0]:
            in_project(session, project, "nox", TMPDIR=quick)
            return
        with aside(session, project, *FORM):
            parts = LAST if stage == STAGES[-1] else BETWEEN
            in_project(session, project, "nox", "-s", *parts, TMPDIR=quick)


@check()
def delivery(session: nox.Session) -> None:
    """Check what brings a project to the cloud: Terraform, chart, image, alerts, pipelines."""
    # Terraform mostly waits for what plays AWS; the others run meanwhile.
    with (
        generated(session, STAGES[-1]) as project,
        aside(session, project, *INFRASTRUCTURE, "terraform"),
    ):
        in_project(session, project, *INFRASTRUCTURE, "workflows", "helm", "observability", "image")


@check()
def docs(session: nox.Session) -> None:
    """Build the site, every warning an error; `-- serve` shows it while you write."""
    install(session, "docs")
    session.run("python", "scripts/site.py")
    session.run("zensical", *(session.posargs or ["build", "--clean", "--strict"]))


# --- Parts of the above, and what takes longer ---------------------------------------------------


@check(default=False)
def attack(session: nox.Session) -> None:
    """Attack the walls between tenants in a generated project, with walls taken out, too."""
    with generated(session, STAGES[-1]) as project:
        suites = session.posargs or ("tests/isolation", "tests/hardened/attack")
        spread = ("-n", "auto", "--dist", "load")
        in_project(session, project, "pytest", *spread, *suites, TEST_DATABASE="postgres")


@check(default=False)
def kills(session: nox.Session) -> None:
    """Kill moves, deletions and migrations of a generated project at every step they have."""
    with generated(session, STAGES[-1]) as project:
        in_project(session, project, "nox", "-s", "kills")


@check(default=False)
def journey(session: nox.Session) -> None:
    """Drive a generated project through a real browser."""
    with generated(session, "prototype") as project:
        in_project(session, project, "pytest", "-m", "journey")


@check(default=False)
def infra(session: nox.Session) -> None:
    """Check a generated project's Terraform, and apply it to a server that plays AWS."""
    infrastructure(session, "terraform")


@check(default=False)
def helm(session: nox.Session) -> None:
    """Render a generated project's chart for every environment, and check each manifest."""
    infrastructure(session, "helm")


@check(default=False)
def image(session: nox.Session) -> None:
    """Build a generated project's image, and run it locked up as in production."""
    infrastructure(session, "image")


@check(default=False)
def bench(session: nox.Session) -> None:
    """Measure a generated project against its peers: ratios of one run (-- --json FILE)."""
    install(session, "bench")
    where = session.run("python", "-c", "import sys; print(sys.executable)", silent=True)
    with generated(session, "prototype") as project:
        measure = ["benchmarks/run.py", str(project), "--peers", str(where).strip()]
        run = ["uv", "run", "--project", str(project), "python", *measure, *session.posargs]
        session.run(*run, env={"VIRTUAL_ENV": None})


@check(default=False)
def bench_services(session: nox.Session) -> None:
    """Measure a list and a page in one process group and in four services (-- --json FILE)."""
    benchmark_of_services(session, "benchmarks/services.py")


@check(default=False)
def bench_events(session: nox.Session) -> None:
    """Measure events between services, and kill workers while 100,000 flow (-- --json FILE)."""
    benchmark_of_services(session, "benchmarks/events.py")


@check(default=False)
def bench_promote(session: nox.Session) -> None:
    """Measure the way of a million rows from one database into four (-- --source, --json FILE)."""
    benchmark_of_services(session, "benchmarks/promote.py")


@check(default=False)
def bench_walls(session: nox.Session) -> None:
    """Measure what the walls in the database cost a statement and a request (-- --json FILE)."""
    benchmark(session, "hardened", "benchmarks/walls.py")


@check(default=False)
def bench_onboarding(session: nox.Session) -> None:
    """Measure how long a tenant takes to be there, in the pool and in silos (-- --json FILE)."""
    benchmark(session, "hardened", "benchmarks/onboarding.py")


@check(default=False)
def bench_neighbours(session: nox.Session) -> None:
    """Measure what a workspace that floods does to its neighbours (-- --json FILE)."""
    benchmark(session, "hardened", "benchmarks/neighbours.py")


@check(default=False)
def bench_moving(session: nox.Session) -> None:
    """Measure how long a workspace is read-only while it moves to a silo (-- --rows, --json)."""
    benchmark(session, "hardened", "benchmarks/moving.py")


@check(default=False)
def bench_tenants(session: nox.Session) -> None:
    """Measure a request with 10, 1,000 and 5,000 tenants in the catalog (-- --json FILE)."""
    benchmark(session, "hardened", "benchmarks/tenants.py")


@check(default=False)
def bench_silos(session: nox.Session) -> None:
    """Measure a fleet of silos: made, migrated, killed meanwhile (-- --silos, --json FILE)."""
    benchmark(session, "hardened", "benchmarks/silos.py")


def benchmark_of_services(session: nox.Session, script: str) -> None:
    benchmark(session, "services", script)


def benchmark(session: nox.Session, stage: str, script: str) -> None:
    with generated(session, stage) as project:
        run = ["uv", "run", "--project", str(project), "python", script]
        session.run(*run, str(project), *session.posargs, env={"VIRTUAL_ENV": None})


# --- How -----------------------------------------------------------------------------------------


def install(session: nox.Session, group: str) -> None:
    session.install(*nox.project.dependency_groups(PYPROJECT, group))


def pytest(session: nox.Session, *arguments: str) -> None:
    chosen = session.posargs or arguments
    with counted_tests() as counting, quick_folder() as folder:
        # Teams that climb take minutes each: whoever is done takes over what waits for another.
        spread = ("-n", "auto", "--dist", "worksteal")
        run(session, "pytest", *spread, *chosen, env={**counting, "TMPDIR": folder})


def run(session: nox.Session, *command: str, **options: Any) -> None:
    """Run a command that may hang, and end it if it does."""
    session.run("python", str(WITHIN), "35", *command, **options)


@contextmanager
def quick_folder() -> Iterator[str]:
    """A folder for temporary files, in memory if there is room: that takes half the time.

    A climb renders the template three times and asks git about each file; a database that a test
    makes and drops is a thousand files. Not for containers: podman waits 20 s for each there.
    """
    with TemporaryDirectory(prefix="tests-", dir=MEMORY if will_do(MEMORY) else None) as folder:
        yield folder


def will_do(memory: Path) -> bool:
    """Whether there is room, and whether programs run there, as environments stand in it, too."""
    if not memory.is_dir() or not os.access(memory, os.W_OK):
        return False
    return disk_usage(memory).free > 2**32 and not os.statvfs(memory).f_flag & os.ST_NOEXEC


@contextmanager
def generated(session: nox.Session, stage: str) -> Iterator[Path]:
    """A project of that stage, outside of this repository, as its team would have it."""
    install(session, "generate")
    with TemporaryDirectory(prefix=f"{stage}-") as folder:
        project = Path(folder) / "project"
        arguments = ["--name", HARD_NAME, "--stage", stage, "--dir", str(project)]
        session.run("python", "scripts/demo.py", "--only-generate", *arguments)
        yield project


def in_project(session: nox.Session, project: Path, *command: str, **settings: str) -> None:
    """Run one of the project's own commands in the project's own environment."""
    with counted_tests() as counting, session.chdir(project):
        run(session, "uv", "run", *command, env={**counting, **settings, **dict.fromkeys(OF_NOX)})


@contextmanager
def aside(session: nox.Session, project: Path, *command: str) -> Iterator[None]:
    """Run one of the project's own commands meanwhile; what it said comes at the end."""
    with counted_tests() as counting, TemporaryFile("w+") as said:
        env = {**os.environ, **counting}
        process = subprocess.Popen(
            [sys.executable, str(WITHIN), "20", "uv", "run", *command],
            cwd=project,
            env={name: value for name, value in env.items() if name not in OF_NOX},
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            yield
        finally:
            failed = process.wait()
            said.seek(0)
            print(said.read(), flush=True)
    if failed:
        session.error(f"{' '.join(command)} failed: see above")


def infrastructure(session: nox.Session, *parts: str) -> None:
    """Run these sessions of a generated project's infra/noxfile.py."""
    with generated(session, STAGES[-1]) as project:
        in_project(session, project, *INFRASTRUCTURE, *parts)


def found(name: str) -> list[str]:
    return [str(path) for path in (ROOT / name, ROOT / "template" / name) if path.exists()]
