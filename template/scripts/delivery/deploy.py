"""The chart in a cluster: which releases stand there, and others in their place, by Helm."""

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.delivery import Refused
from scripts.delivery.values import Values, releases_of

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


def rendered(more: Values, namespace: str, template: str) -> str:
    """One template of the chart, with these values over those that stand there."""
    here = current(namespace)
    if here is None:
        raise Refused(f"Nothing is installed in the namespace {namespace}: deploy a release first.")
    with TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("here.json", "more.json")]
        for file, values in zip(files, (here, more), strict=True):
            file.write_text(json.dumps(values), "utf-8")
        given = [word for file in files for word in ("--values", str(file))]
        of_it = (INSTALLED_AS, str(CHART), "--namespace", namespace, "--show-only", template)
        return helm("template", *of_it, *given)


def refuse_what_the_one_before_cannot_live_with(here: Values | None) -> None:
    """The migrations run before any tenant has the release, so they may only add.

    Looked at without a database, in the code of the release; by the commit in the name of the one
    that is there.
    """
    serving = releases_of(here).get("defaultRelease")
    if serving is None:
        return
    commit = serving.rpartition("-")[2]
    done = subprocess.run(["flask", "rollout", "check", "--git", commit], cwd=PROJECT, check=False)
    if done.returncode:
        raise Refused(f"Nothing was deployed: {serving} couldn't live with it. See above.")


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
