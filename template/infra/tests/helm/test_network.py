"""Who reaches whom, computed from the policies, is who may ask whom, and nobody else."""

import re
from itertools import product

import pytest

from tests.helm.chart import CHART, ENVIRONMENTS, SERVICES, Rendered, pods, rendered, selects
from tests.tools import PROJECT

# A later stage runs something beside the gateway that reads Redis.
BESIDE = any(CHART.glob("files/beside-gateway/*.yaml"))
TABLE = re.compile(r"\| who \| may ask \|\n\|[-|]+\|\n((?:\|.*\n)+)")


def may_ask() -> set[tuple[str, str]]:
    """The table of docs/services.md, as pairs."""
    (rows,) = TABLE.findall((PROJECT / "docs/services.md").read_text())
    pairs = set()
    for row in rows.strip().splitlines():
        who, whom = (set(re.findall(r"\w+", cell)) for cell in row.strip("|").split("|"))
        pairs |= set(product(who, whom & set(SERVICES)))
    return pairs


class Network:
    """The policies, and the pods that they are about."""

    def __init__(self, manifests: Rendered) -> None:
        self.policies = [one["spec"] for one in manifests.of("NetworkPolicy")]
        self.labels = {name: pod["metadata"]["labels"] for name, pod in pods(manifests).items()}

    def reaches(self, one: str, other: str, port: int = 8000) -> bool:
        """Whether a connection from a pod to another is let out, and let in."""
        return one != other and (
            self.passes("egress", "to", self.labels[one], self.labels[other], port)
            and self.passes("ingress", "from", self.labels[other], self.labels[one], port)
        )

    def passes(self, way: str, word: str, mine: dict, theirs: dict, port: int) -> bool:
        about_me = [p for p in self.policies if selects(p["podSelector"], mine)]
        limiting = [p for p in about_me if way.capitalize() in p["policyTypes"]]
        assert limiting, f"nothing limits the {way} of {mine}"
        return any(
            any(entry["port"] == port for entry in rule["ports"])
            and any(peer_is(peer, theirs) for peer in rule[word])
            for policy in limiting
            for rule in policy.get(way, [])
        )


def peer_is(peer: dict, labels: dict) -> bool:
    """Whether a peer means that pod of our own namespace. Other places are no pod of ours."""
    return set(peer) == {"podSelector"} and selects(peer["podSelector"], labels)


@pytest.mark.parametrize("releases", [1, 2])
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_who_reaches_whom_is_who_may_ask_whom(environment, releases):
    network = Network(rendered(environment, releases))
    asks = may_ask()
    assert ("features", "auth") in asks
    # Whoever is asked fetches the public keys of the asker.
    connected = asks | {(whom, who) for who, whom in asks}

    for one, other in product(network.labels, repeat=2):
        mine, theirs = network.labels[one], network.labels[other]
        kind, their_kind = (x["app.kubernetes.io/component"] for x in (mine, theirs))
        expected = one != other and (
            (kind == "gateway" and their_kind == "web")
            or (kind == "smoke" and their_kind == "gateway")
            or (
                kind in ("web", "worker")
                and their_kind == "web"
                and (mine["service"], theirs["service"]) in connected
            )
        )
        assert network.reaches(one, other) == expected, f"{one} -> {other}"


def test_billing_and_analytics_never_meet():
    network = Network(rendered("prod"))

    assert not network.reaches("Deployment/billing-1-4-0", "Deployment/analytics-1-4-0")
    assert not network.reaches("Deployment/analytics-worker", "Deployment/billing-1-4-0")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_nothing_is_open_by_default(environment):
    manifests = rendered(environment)
    policy = manifests.named("NetworkPolicy", "deny-by-default")["spec"]

    assert set(policy) == {"podSelector", "policyTypes"}
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    for name, pod in pods(manifests).items():
        assert selects(policy["podSelector"], pod["metadata"]["labels"]), name


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_no_rule_means_everybody(environment):
    """An empty list of peers or ports would."""
    for manifest in rendered(environment).of("NetworkPolicy"):
        for way, word in (("ingress", "from"), ("egress", "to")):
            for rule in manifest["spec"].get(way, []):
                assert rule[word], manifest["metadata"]["name"]
                assert rule["ports"], manifest["metadata"]["name"]
                assert all(rule[word])


def outside(network: Network, pod: str) -> set[int]:
    """The ports at which a pod reaches what isn't a pod of ours."""
    return {
        entry["port"]
        for policy in network.policies
        if selects(policy["podSelector"], network.labels[pod])
        for rule in policy.get("egress", [])
        for entry in rule["ports"]
        if entry["port"] != 8000
    }


@pytest.mark.parametrize(
    ("pod", "ports"),
    [
        ("Deployment/gateway", {53, 5432} | ({6379} if BESIDE else set())),
        ("Pod/smoke", {53}),
        ("Job/auth-migrate", {53, 5432, 6379}),
        ("Deployment/auth-1-4-0", {53, 5432, 6379, 4318}),
        ("Deployment/billing-1-4-0", {53, 5432, 6379, 4318, 443}),
        ("Deployment/auth-worker", {53, 5432, 6379, 4318, 587}),
        ("Deployment/billing-worker", {53, 5432, 6379, 4318, 443, 587}),
    ],
)
def test_each_reaches_outside_only_what_it_needs(pod, ports):
    assert outside(Network(rendered("prod")), pod) == ports


def test_the_clouds_metadata_is_reached_by_nobody():
    for manifest in rendered("prod").of("NetworkPolicy"):
        for rule in manifest["spec"].get("egress", []):
            for peer in rule["to"]:
                block = peer.get("ipBlock", {})
                if block.get("cidr") == "0.0.0.0/0":
                    assert "169.254.0.0/16" in block["except"]
