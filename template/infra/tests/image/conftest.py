"""One podman, one build of each image, one PostgreSQL and one Valkey for all tests of the image."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import yaml

from tests.helm.chart import CHART, Rendered, render, values_of
from tests.image import containers
from tests.image.backing import Backing, secrets_of
from tests.image.cluster import Cluster
from tests.image.containers import Podman

NETWORK = f"chart-{os.getpid()}"  # Networks of all storages of a machine share one name server.
APP = "localhost/app:r1"
FIGURES: list[str] = []


@contextmanager
def timed(what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    FIGURES.append(f"{time.monotonic() - began:6.1f} s  {what}")


def pytest_terminal_summary(terminalreporter):
    """The figures of the run, at its end."""
    if FIGURES:
        terminalreporter.section("figures of this machine")
        for line in FIGURES:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def podman(tmp_path_factory) -> Iterator[Podman]:
    containers.make_sure_podman_is_here()
    with timed("a small Debian (kept for the next time)"):
        containers.debian()
    podman = Podman(tmp_path_factory.mktemp("podman"))
    try:
        with timed("the base image, under its name"):
            containers.make_base(podman)
        yield podman
    finally:
        podman.remove_everything()


@pytest.fixture(scope="session")
def app_image(podman) -> str:
    """The project's image, from the Dockerfile as it is."""
    with timed("the project's image: podman build of the unmodified Dockerfile"):
        containers.make_app(podman, APP)
    return APP


@pytest.fixture(scope="session")
def caddy_image(podman) -> str:
    image: str = yaml.safe_load((CHART / "values.yaml").read_text())["gateway"]["image"]
    containers.make_caddy(podman, image)
    return image


@pytest.fixture(scope="session")
def backing(podman) -> Backing:
    podman("network", "create", NETWORK)
    with timed("PostgreSQL and Valkey, with four databases and eight roles"):
        return Backing(podman, NETWORK)


@pytest.fixture(scope="session")
def secrets(backing) -> dict[str, dict[str, str]]:
    return secrets_of(backing)


def installed(app_image: str, **more) -> Rendered:
    """The chart with the values of development and one release."""
    follow = {"gateway": {"follow": {"enabled": True}}}
    values = values_of("dev", follow, more) | {"releases": {"r1": {"image": app_image}}}
    return render(values)


@pytest.fixture(scope="session")
def cluster(podman, secrets, app_image, caddy_image) -> Cluster:
    """What is installed, nothing of it started yet."""
    cluster = Cluster(podman, NETWORK, installed(app_image))
    cluster.keep(secrets)
    return cluster
