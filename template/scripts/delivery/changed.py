"""What a change touches: the services whose tests it needs, and the parts of the infrastructure.

Arrows decide it: who may import a package is tested with it (`uv run lint-imports` holds the
arrows). What isn't known here touches everything, so a new folder is never left out by mistake.
"""

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
# A package, and who may import it.
IMPORTED_BY = {
    "auth": ("billing", "analytics", "features"),
    "billing": ("features",),
    "analytics": ("features",),
    "features": (),
}
SERVICES = tuple(IMPORTED_BY)
# What tests a service on its own, besides tests/<service>.
BESIDES = {
    "auth": ("tests/isolation", "tests/tenancy"),
    "billing": (),
    "analytics": ("tests/jobs",),
    "features": ("tests/api", "tests/pages"),
}
# Files that the infrastructure is compared with, or made of.
READ_BY_INFRASTRUCTURE = {
    ".dockerignore": ("image",),
    "Dockerfile": ("image",),
    "gunicorn.conf.py": ("image",),
    "pyproject.toml": ("image",),
    "uv.lock": ("image",),
    "app/settings.py": ("helm", "terraform"),
    "app/stages/services/databases.py": ("terraform",),
    "app/stages/services/rollout": ("workflows",),
    "app/stages/services/settings.py": ("helm", "terraform"),
    "app/stages/services/observe": ("observability",),
    "deploy/Caddyfile": ("helm",),
    "deploy/services-databases.sh": ("image",),
    "docs/costs.md": ("terraform",),
    "docs/deploy.md": ("workflows",),
    "docs/observability.md": ("observability",),
    "docs/services.md": ("helm",),
    "docs/terraform.md": ("terraform",),
    "infra/cloud.py": ("terraform",),
    "infra/costs": ("terraform",),
    "scripts/delivery": ("workflows",),
    ".github": ("workflows",),
}
NEEDS_NOTHING = (".env.example", ".gitignore", ".pre-commit-config.yaml", "LICENSE", "docs")


@dataclass
class Needed:
    """The checks that a change needs."""

    services: set[str] = field(default_factory=set)
    infrastructure: set[str] = field(default_factory=set)

    def everything(self) -> None:
        self.services.update(SERVICES)
        self.infrastructure.update(parts())

    def matrix(self) -> dict[str, object]:
        """As the workflow's matrices want it: each service with its tests, in a fixed order."""
        chosen = [service for service in SERVICES if service in self.services]
        return {
            "services": [{"service": name, "tests": " ".join(tests_of(name))} for name in chosen],
            "infrastructure": sorted(self.infrastructure),
        }


def parts() -> tuple[str, ...]:
    """The parts of the infrastructure that have checks: sessions of infra/noxfile.py."""
    tests = PROJECT / "infra" / "tests"
    return tuple(sorted(part.name for part in tests.iterdir() if any(part.glob("test_*.py"))))


def tests_of(service: str) -> list[str]:
    return [
        place for place in (f"tests/{service}", *BESIDES[service]) if (PROJECT / place).exists()
    ]


def needed_for(paths: Iterable[str]) -> Needed:
    """What these changed files need; each is a path from the project's root."""
    needed = Needed()
    for path in paths:
        touch(path, needed)
    return needed


def touch(path: str, needed: Needed) -> None:
    for place, read_by in READ_BY_INFRASTRUCTURE.items():
        if is_in(path, place):
            needed.infrastructure.update(set(read_by) & set(parts()))
    if any(is_in(path, place) for place in NEEDS_NOTHING) or path.endswith(".md"):
        return
    match path.split("/"):
        case ["app", package, *_] if package in SERVICES:
            needed.services.update((package, *IMPORTED_BY[package]))
        case ["app", "migrations", "versions", name] if name.split("_")[0] in SERVICES:
            package = name.split("_")[0]
            needed.services.update((package, *IMPORTED_BY[package]))
        case ["tests", folder, *_] if tested := tested_by(f"tests/{folder}"):
            needed.services.update(tested)
        case ["infra", "tests", part, _, *_] | ["infra", part, _, *_] if part in parts():
            needed.infrastructure.add(part)
        case ["infra", "cloud.py" | "costs", *_]:
            pass  # Named above.
        case ["infra", *_]:
            needed.infrastructure.update(parts())
        case [".github", *_] | ["scripts", "delivery", *_]:
            needed.infrastructure.update({"workflows"} & set(parts()))
        case ["Dockerfile"] | [".dockerignore"]:
            pass  # The image's checks are named above; no test of a service reads these.
        case ["app" | "tests" | "gunicorn.conf.py" | "pyproject.toml" | "uv.lock", *_]:
            needed.services.update(SERVICES)
        case _:
            needed.everything()


def is_in(path: str, place: str) -> bool:
    return path == place or path.startswith(f"{place}/")


def tested_by(folder: str) -> list[str]:
    """The services that a folder of tests belongs to."""
    return [service for service in SERVICES if folder in tests_of(service)]


def paths_since(commit: str) -> list[str] | None:
    """The files that differ from where this branch left that commit's; None if it's unknown.

    The first push to a branch has nothing before it, and after a forced one that is gone.
    """
    command = ["git", "diff", "--name-only", "--relative", "--no-renames", "-z", f"{commit}...HEAD"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode:
        why = f"What changed since {commit} can't be told, so everything is checked: {done.stderr}"
        print(why, file=sys.stderr)
        return None
    return [path for path in done.stdout.split("\0") if path]
