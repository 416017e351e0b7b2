"""The chart in a cluster: which releases stand there, and others in their place, by Helm."""

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.delivery import Refused
from scripts.delivery.values import Values

PROJECT = Path(__file__).resolve().parents[2]
CHART = PROJECT / "infra" / "helm"
INSTALLED_AS = "app"


def current(namespace: str) -> Values | None:
    """The values that stand there; None only if Helm says that nothing was ever installed.

    A cluster that doesn't answer must not look like an empty one: the first release gets everybody.
    """
    where = ("--namespace", namespace, "--output", "json")
    listed = json.loads(helm("list", "--all", "--filter", f"^{INSTALLED_AS}$", *where))
    if not listed:
        return None
    values: Values = json.loads(helm("get", "values", INSTALLED_AS, *where)) or {}
    return values


def upgrade(values: Values, environment: str, namespace: str) -> None:
    """Bring the chart to these releases; what doesn't come up is taken back by Helm."""
    with TemporaryDirectory() as folder:
        releases = Path(folder) / "releases.json"
        releases.write_text(json.dumps(values), "utf-8")
        helm(
            *("upgrade", INSTALLED_AS, str(CHART), "--install", "--namespace", namespace),
            *("--values", str(values_of(environment)), "--values", str(releases)),
            *("--wait", "--rollback-on-failure", "--timeout", "20m"),
        )


def values_of(environment: str) -> Path:
    file = CHART / f"values-{environment}.yaml"
    if not file.exists():
        known = sorted(path.stem.removeprefix("values-") for path in CHART.glob("values-*.yaml"))
        raise Refused(f"There is no {file.relative_to(PROJECT)}. Known are: {', '.join(known)}.")
    return file


def helm(*arguments: str) -> str:
    try:
        done = subprocess.run(["helm", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Refused("helm isn't installed: see docs/helm.md.") from None
    if done.returncode:
        raise Refused(f"helm {arguments[0]} failed:\n{done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
