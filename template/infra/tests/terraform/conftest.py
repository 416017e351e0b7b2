"""One AWS for all tests of this folder: moto's server, with the account and prod applied to it."""

import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.error import URLError
from urllib.request import urlopen

import boto3
import pytest

from tests.terraform.working_copy import (
    AS_APPLIED,
    ENVIRONMENTS,
    PROJECT,
    WorkingCopy,
    variables,
)
from tests.tools import clean_environment, tool

ACCOUNT = {name: PROJECT[name] for name in ("name", "region", "repository")}


@dataclass
class Cloud:
    """What was applied: once the account, once an environment."""

    endpoint: str
    account: WorkingCopy
    prod: WorkingCopy

    def client(self, service: str):
        return client(service, self.endpoint)


def client(service: str, endpoint: str):
    """A client of that AWS; moto takes any key."""
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    return boto3.client(service, endpoint_url=endpoint, region_name=PROJECT["region"], **keys)


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory):
    """moto's server, empty but for the DNS zone, which an account has before its environments."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
    log = (tmp_path_factory.mktemp("moto") / "log").open("w")
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", port],
        env=clean_environment(MOTO_IAM_LOAD_MANAGED_POLICIES="true"),
        stdout=log,
        stderr=log,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(address)
        yield address
    finally:
        server.terminate()
        server.wait(10)
        log.close()


def wait_for(address: str) -> None:
    for _ in range(300):
        try:
            with urlopen(f"{address}/moto-api/data.json", timeout=5):  # noqa: S310
                return
        except (URLError, ConnectionError):
            time.sleep(0.1)
    raise TimeoutError("moto's server doesn't answer")


@pytest.fixture(scope="session")
def copy(tmp_path_factory) -> WorkingCopy:
    """The modules, with nothing applied and nobody to ask."""
    return WorkingCopy(tmp_path_factory.mktemp("modules"))


@pytest.fixture(scope="session")
def zone(endpoint) -> None:
    client("route53", endpoint).create_hosted_zone(Name=PROJECT["zone"], CallerReference="account")


@pytest.fixture(scope="session")
def plans(tmp_path_factory, endpoint, zone):
    """The plan of each environment, whole: nothing is left out."""
    copy = WorkingCopy(tmp_path_factory.mktemp("plans"), endpoint=endpoint)
    return {environment: copy.plan(environment) for environment in ENVIRONMENTS}


@pytest.fixture(scope="session")
def sized_plans(tmp_path_factory, endpoint, zone, plans):
    """What the costs are worked out from: production at three sizes, and the account."""
    account = WorkingCopy(tmp_path_factory.mktemp("priced"), "account", endpoint)
    given = [f"-var={name}={value}" for name, value in ACCOUNT.items()]
    account.do("plan", *given, '-var=zones=["example.com"]', "-out=account.plan")
    copy = WorkingCopy(tmp_path_factory.mktemp("sizes"), endpoint=endpoint)
    sizes = {size: copy.plan("prod", size) for size in ("small", "large")}
    return {**sizes, "medium": plans["prod"], "account": account.show("account.plan")}


@pytest.fixture(scope="session", autouse=True)
def applying(request, tmp_path_factory):
    """Begins to apply the account and prod, if a test wants them: that is mostly waiting."""
    wanted = any("cloud" in item.fixturenames for item in request.session.items)
    if not wanted or shutil.which("terraform") is None:
        yield None
        return
    endpoint = request.getfixturevalue("endpoint")
    request.getfixturevalue("zone")
    account = WorkingCopy(tmp_path_factory.mktemp("account"), "account", endpoint)
    prod = WorkingCopy(tmp_path_factory.mktemp("prod"), endpoint=endpoint)
    options = ["-auto-approve", "-parallelism=30"]
    of_account = [f"-var={name}={value}" for name, value in ACCOUNT.items()]
    of_prod = variables("prod", **AS_APPLIED)
    with ThreadPoolExecutor() as pool:
        jobs = [
            pool.submit(account.do, "apply", *options, *of_account, '-var=zones=["example.net"]'),
            pool.submit(prod.do, "apply", *options, *of_prod),
        ]
        yield Cloud(endpoint, account, prod), jobs


@pytest.fixture(scope="session")
def cloud(applying) -> Cloud:
    """The account and prod, as they are applied."""
    if applying is None:
        tool("terraform")
    made, jobs = applying
    for job in jobs:
        job.result()
    return made


def pytest_collection_modifyitems(items) -> None:
    """What needs the applied cloud comes after the rest, and what takes it away at the end."""
    items.sort(key=lambda item: ("cloud" in item.fixturenames) + ("test_undo" in item.nodeid))
