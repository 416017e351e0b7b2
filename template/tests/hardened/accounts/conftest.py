"""An AWS that is moto's server: asked over HTTP, by the same clients as the real one."""

import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.request import urlopen

import boto3
import pytest

from app.dev.postgres import free_port

REGION = "eu-central-1"


@pytest.fixture(scope="package")
def endpoint() -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(address)
        yield address
    finally:
        server.terminate()
        server.wait(10)


def wait_for(address: str) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            with urlopen(f"{address}/moto-api/data.json", timeout=5):
                return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


@pytest.fixture
def aws(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """moto's server as the AWS of this process, empty, with an organization of ours."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ours")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "ours")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with urlopen(f"{endpoint}/moto-api/reset", data=b"", timeout=5):
        pass
    boto3.client("organizations").create_organization(FeatureSet="ALL")
    return endpoint
