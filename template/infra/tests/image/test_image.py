"""The image: built from the Dockerfile as it is, and run locked up."""

import json
import time
import urllib.request

import pytest

from tests.helm.chart import SERVICES, containers, rendered
from tests.image.cluster import memory_of, status_of
from tests.image.conftest import FIGURES, NETWORK
from tests.image.containers import Failed
from tests.tools import PROJECT, pinned, succeed

LOCKED = ("--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges")
WRITABLE = ("--tmpfs", "/tmp")  # noqa: S108


def test_hadolint_finds_nothing():
    succeed(*pinned("hadolint"), PROJECT / "Dockerfile")


def test_it_says_how_it_is_run(podman, app_image):
    config = podman.inspect(app_image)["Config"]

    assert config["User"] == "10001:10001"
    assert config["Cmd"] == ["gunicorn"]
    assert "8000/tcp" in config["ExposedPorts"]


def test_it_holds_no_secret_no_test_and_no_tool(podman, app_image):
    found = podman("run", "--rm", "--pull=never", app_image, "ls", "-A", "/srv").split()

    code, needed = {"app", "gunicorn.conf.py"}, {"pyproject.toml", "uv.lock", "venv"}
    assert set(found) == code | needed | {"instance"}
    with pytest.raises(Failed):
        podman("run", "--rm", "--pull=never", app_image, "python", "-c", "import pytest")


@pytest.fixture(scope="module")
def settings(secrets):
    """What one service needs, as the chart would say it, with everything on one command line."""
    config = rendered("dev").named("ConfigMap", "settings-1-4-0")["data"]
    urls = {f"{service.upper()}_URL": f"http://{service}:8000" for service in SERVICES}
    own = {"SERVES": "billing", "WEB_CONCURRENCY": "2"}
    return config | secrets["billing-settings"] | urls | own


def flags(settings):
    return [f"--env={name}={value}" for name, value in settings.items()]


@pytest.fixture(scope="module")
def migrated(podman, app_image, settings, secrets):
    """The image migrates, as the owner of the tables."""
    owner = settings | secrets["billing-migrations"]
    where = ("--rm", "--pull=never", "--network", NETWORK, *LOCKED, *WRITABLE)
    return podman("run", *where, *flags(owner), app_image, "flask", "db", "upgrade")


@pytest.fixture(scope="module")
def container(podman, app_image, settings, migrated):
    """One service: a read-only disk, no capability, the chart's memory; and its first answer."""
    assert "Up to date: shared, billing." in migrated
    limit = containers(rendered("dev"))["Deployment/billing-1-4-0/web"]["resources"]["limits"]
    bounds = ("--memory", limit["memory"].replace("Mi", "m"), "--no-healthcheck")
    began = time.monotonic()
    where = ("--detach", "--pull=never", "--name", "one", "--network", NETWORK)
    podman("run", *where, *bounds, *LOCKED, *WRITABLE, *flags(settings), app_image)
    address = podman.inspect("one")["NetworkSettings"]["Networks"][NETWORK]["IPAddress"]
    first = until_it_answers(f"http://{address}:8000/readyz")
    FIGURES.append(f"{time.monotonic() - began:6.1f} s  from podman run to the first answer")
    yield "one", first
    podman.tried("rm", "--force", "one")


def until_it_answers(url: str) -> dict:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
                return json.loads(answer.read())
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_a_locked_up_container_serves(container):
    _name, first = container

    assert first["status"] == "ok"
    assert {"database", "migrations"} <= first["checks"].keys()
    assert set(first["checks"].values()) == {"ok"}


def test_it_is_nobody_and_may_nothing(podman, container):
    status = status_of(podman, container[0])

    assert status["Uid"].split() == ["10001"] * 4
    assert {status[name] for name in ("CapBnd", "CapEff", "CapPrm")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


def test_it_can_write_nowhere_but_where_it_should(podman, container):
    for place in ("/srv/app/x", "/etc/x", "/srv/x", "/srv/instance/x"):
        with pytest.raises(Failed, match="Read-only file system"):
            podman("exec", container[0], "touch", place)
    podman("exec", container[0], "touch", "/tmp/x")  # noqa: S108


def test_it_needs_less_memory_than_it_may_have(podman, container):
    pid = podman.inspect(container[0])["State"]["Pid"]
    with open(f"/proc/{pid}/cgroup") as group:
        used = memory_of(group.read()) / 2**20
    FIGURES.append(f"{used:6.0f} MiB used by a service with two gunicorn workers")

    assert 0 < used < 512


def test_caddys_program_wants_the_mark_that_the_chart_allows(podman, caddy_image):
    """The reason for the one capability that the chart adds anywhere."""
    locked = ("run", "--rm", "--pull=never", "--user", "10001", *LOCKED)

    with pytest.raises(Failed, match=r"(?i)operation not permitted"):
        podman(*locked, caddy_image, "caddy", "version")
    podman(*locked, "--cap-add", "NET_BIND_SERVICE", caddy_image, "caddy", "version")
