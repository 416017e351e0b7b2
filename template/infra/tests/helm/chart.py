"""The chart, rendered by the real engine, and what can be asked about the result."""

from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any

import helm_python as helm
import yaml

from tests.tools import INFRA

CHART = INFRA / "helm"
ENVIRONMENTS = ("dev", "staging", "prod")
SERVICES = ("auth", "billing", "analytics", "features")
DIGEST = "0123456789abcdef" * 4
ONE = {"1.4.0": {"image": f"registry.example.com/app@sha256:{DIGEST}"}}
TWO = ONE | {"1.5.0": {"image": f"registry.example.com/app@sha256:{DIGEST[::-1]}"}}
POINTERS = {"defaultRelease": "1.4.0", "workersRelease": "1.4.0", "migrationsRelease": "1.5.0"}
Manifest = dict[str, Any]
# What the stages above the services add: secrets of services, and of what looks after tenants.
OF_STAGES = [yaml.safe_load(file.read_text()) for file in sorted(CHART.glob("files/stages/*.yaml"))]


def values_of(environment: str, *changes: dict[str, Any]) -> dict[str, Any]:
    """An environment's values with one release, and with these changes."""
    values = yaml.safe_load((CHART / f"values-{environment}.yaml").read_text())
    for change in ({"releases": ONE}, *changes):
        values = merged(values, change)
    return values


def merged(values: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """These values with others over them, as helm merges two files."""
    result = deepcopy(values)
    for name, value in change.items():
        both = isinstance(value, dict) and isinstance(result.get(name), dict)
        result[name] = merged(result[name], value) if both else value
    return result


def templates(values: dict[str, Any]) -> dict[str, str]:
    with helm.Chart.load(CHART) as chart:
        chart.validate_schema(values)
        return chart.render(values, name="app", namespace="app")


class Rendered(list[Manifest]):
    """All manifests of one render."""

    def of(self, *kinds: str) -> list[Manifest]:
        return [one for one in self if one["kind"] in kinds]

    def named(self, kind: str, name: str) -> Manifest:
        (found,) = [one for one in self.of(kind) if one["metadata"]["name"] == name]
        return found


def manifests_in(text: str) -> Iterator[Manifest]:
    yield from (one for one in yaml.safe_load_all(text) if one)


def render(values: dict[str, Any]) -> Rendered:
    texts = templates(values)
    found = [text for path, text in sorted(texts.items()) if path.endswith(".yaml")]
    return Rendered(manifest for text in found for manifest in manifests_in(text))


@cache
def rendered(environment: str, releases: int = 1) -> Rendered:
    """One of the environments, with one release or two."""
    more = {"releases": TWO} | POINTERS if releases == 2 else {}
    return render(values_of(environment, more))


def pods(manifests: Rendered) -> dict[str, Manifest]:
    """The pods that these manifests make, by kind and name."""
    return {
        f"{one['kind']}/{one['metadata']['name']}": (
            one if one["kind"] == "Pod" else one["spec"]["template"]
        )
        for one in manifests.of("Deployment", "Job", "Pod")
    }


def containers(manifests: Rendered) -> dict[str, Manifest]:
    """Their containers, by the pod's name and theirs."""
    return {
        f"{name}/{container['name']}": container
        for name, pod in pods(manifests).items()
        for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]
    }


def selects(selector: Manifest, labels: dict[str, str]) -> bool:
    """Whether a label selector takes these labels."""
    wanted = selector.get("matchLabels", {})
    if any(labels.get(name) != value for name, value in wanted.items()):
        return False
    return all(fits(one, labels) for one in selector.get("matchExpressions", []))


def fits(expression: Manifest, labels: dict[str, str]) -> bool:
    assert expression["operator"] == "In", "no other operator is understood here"
    return labels.get(expression["key"]) in expression["values"]


def is_hook(manifest: Manifest) -> bool:
    return "helm.sh/hook" in manifest["metadata"].get("annotations", {})
