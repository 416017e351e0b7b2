"""The services of a release: where they are, and whether they answer."""

from collections.abc import Callable, Mapping

import urllib3
from urllib3.exceptions import HTTPError

from app.stages.services.rollout.pins import upstreams_of
from app.stages.services.rollout.store import Store
from app.stages.services.settings import SERVICES

PATIENCE_SECONDS = 5


def addresses(store: Store, template: str, release: str) -> Mapping[str, list[str]]:
    """Where each service of a release answers, as the gateway knows it."""
    known = store.release(release)
    upstreams = upstreams_of(template, {release: known.upstreams} if known else {})
    return {service: upstreams(service, release).split() for service in SERVICES}


def trouble(where: Mapping[str, list[str]], path: str) -> str:
    """What is wrong with the services at these places; nothing, if all answer."""
    http = urllib3.PoolManager(retries=False, timeout=PATIENCE_SECONDS)
    found = [
        f"{service} {said}"
        for service, places in where.items()
        for place in places
        if (said := ask(http, f"http://{place}{path}"))
    ]
    return "; ".join(found)


def ask(http: urllib3.PoolManager, url: str) -> str:
    try:
        answer = http.request("GET", url)
    except HTTPError as error:
        return f"doesn't answer at {url}: {reason_of(error)}"
    return "" if answer.status == 200 else f"says {answer.status} at {url}: {answer.data[:200]!r}"


def reason_of(error: HTTPError) -> str:
    return str(error).rpartition(": ")[2]


def prober(store: Store, template: str) -> Callable[[str], str]:
    """Asks whether a release's services are alive."""

    def probe(release: str) -> str:
        return trouble(addresses(store, template, release), "/healthz")

    return probe
