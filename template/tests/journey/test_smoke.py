"""Is a system up and whole? Plain requests, nothing written: after each deployment.

JOURNEY_URL=https://app.example.com uv run pytest -m smoke
"""

import json
import re
import urllib.request
from http.client import HTTPMessage

import pytest

pytestmark = [pytest.mark.journey, pytest.mark.smoke]

A_MONTH = 30 * 24 * 3600


def get(system, path: str) -> tuple[str, HTTPMessage]:
    with urllib.request.urlopen(f"{system.url}{path}", timeout=10) as answer:
        return answer.read().decode(), answer.headers


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_it_says_that_it_is_well(system, path):
    body, _headers = get(system, path)

    assert json.loads(body)["status"] == "ok"


@pytest.mark.parametrize("path", ["/", "/login", "/signup"])
def test_strangers_find_its_doors(system, path):
    body, headers = get(system, path)

    assert "<h1>" in body
    assert headers["Content-Type"].startswith("text/html")
    assert "default-src 'self'" in headers["Content-Security-Policy"]


def test_what_pages_are_made_of_may_be_kept(system):
    page, _headers = get(system, "/login")
    assets = re.findall(r'(?:href|src)="([^"]*/static/[^"]+)"', page)

    assert assets
    for asset in assets:
        _body, headers = get(system, asset)
        (seconds,) = re.findall(r"max-age=(\d+)", headers["Cache-Control"])
        assert int(seconds) > A_MONTH, asset


def test_it_describes_its_api(system):
    body, _headers = get(system, "/openapi.json")

    assert json.loads(body)["openapi"].startswith("3.1")
