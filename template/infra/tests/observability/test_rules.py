"""The rules, as Prometheus itself reads them: their form, what they say, and over a real service.

Whether the application exports what they ask for is tested beside it, in tests/services/observe.
"""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml

from tests.tools import INFRA, PROJECT, clean_environment, in_app, succeed, tool

FOLDER = INFRA / "observability"
RULES = sorted((FOLDER / "rules").glob("*.yml"))
TRIED = sorted(Path(__file__).parent.glob("*.yml"))
WHY = "it comes with Prometheus (Debian: apt install prometheus)"
PATIENCE = 60
NOWHERE = "http://127.0.0.1:1"


def test_prometheus_reads_every_rule():
    succeed(tool("promtool", WHY), "check", "rules", "--lint-fatal", *RULES)


def test_prometheus_reads_the_configuration_for_a_laptop():
    succeed(tool("promtool", WHY), "check", "config", FOLDER / "prometheus.yml")


def test_alerts_call_when_they_should_and_only_then():
    succeed(tool("promtool", WHY), "test", "rules", *TRIED)


def test_every_alert_is_seen_to_call():
    called = {
        case["alertname"]
        for file in TRIED
        for test in yaml.safe_load(file.read_text())["tests"]
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    groups = [group for file in RULES for group in yaml.safe_load(file.read_text())["groups"]]

    assert called == {rule["alert"] for g in groups for rule in g["rules"] if "alert" in rule}


def test_the_chart_brings_the_same_rules():
    copies = sorted((INFRA / "helm" / "files" / "rules").glob("*.yml"))

    assert [file.name for file in copies] == [file.name for file in RULES]
    for file, copy in zip(RULES, copies, strict=True):
        assert file.read_text() == copy.read_text(), f"cp {file} {copy}"


# --- A real Prometheus asks a real service --------------------------------------------------------


def wait_for(look: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if found := look():
                return found
        except OSError:  # It refuses, or is slow to answer on a busy machine.
            pass
        time.sleep(0.2)
    raise AssertionError(f"Waited {PATIENCE} s in vain for {what}")


def answers(url: str) -> Any:
    with urlopen(url, timeout=5) as answer:  # noqa: S310  # Ours.
        return answer.read() or b"(nothing)"


@pytest.fixture(scope="module")
def ports() -> tuple[int, int]:
    import socket

    with socket.socket() as one, socket.socket() as two:
        for listener in (one, two):
            listener.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


@pytest.fixture(scope="module")
def service(ports, tmp_path_factory) -> Iterator[str]:
    """The service auth as gunicorn runs it, with two processes and an SQLite of its own."""
    tool("prometheus", WHY)
    folder = tmp_path_factory.mktemp("service")
    neighbours = {f"{name}_URL": NOWHERE for name in ("BILLING", "ANALYTICS", "FEATURES")}
    environment = clean_environment(
        APP_ENV="development",
        SERVES="auth",
        RELEASE="r-1",
        WORKER="separate",
        WEB_CONCURRENCY="2",
        REDIS_URL="redis://127.0.0.1:1",
        DATABASE_URL=f"sqlite:///{folder / 'auth.db'}",
        FLASK_APP="app",
        **neighbours,
    )
    in_app("flask", "db", "upgrade", env=environment)
    address = f"http://127.0.0.1:{ports[0]}"
    bind = ("--bind", address.removeprefix("http://"))
    with running("uv", "run", "--project", PROJECT, "gunicorn", *bind, env=environment):
        wait_for(lambda: answers(f"{address}/healthz"), "the service")
        yield address


@pytest.fixture(scope="module")
def prometheus(service, ports, tmp_path_factory) -> Iterator[str]:
    """Prometheus with these rules, in a hurry."""
    folder = tmp_path_factory.mktemp("prometheus")
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(file) for file in RULES]
    targets = folder / "targets.json"
    targets.write_text(json.dumps([{"targets": [service.removeprefix("http://")]}]))
    config["scrape_configs"][0]["file_sd_configs"][0]["files"] = [str(targets)]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{ports[1]}"
    options = {
        "--config.file": folder / "prometheus.yml",
        "--storage.tsdb.path": folder / "data",
        "--web.listen-address": address,
        "--log.level": "error",
    }
    words = [f"{name}={value}" for name, value in options.items()]
    with running(tool("prometheus", WHY), *words, env=clean_environment()):
        wait_for(lambda: answers(f"http://{address}/-/ready"), "Prometheus")
        yield f"http://{address}"


class running:  # noqa: N801  # It reads as a verb.
    """A program that runs meanwhile."""

    def __init__(self, *command: str | Path, env: dict[str, str]) -> None:
        self.command, self.env = [str(word) for word in command], env

    def __enter__(self) -> None:
        self.process = subprocess.Popen(
            self.command,
            cwd=PROJECT,
            env=self.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def __exit__(self, *_error: object) -> None:
        os.killpg(self.process.pid, 15)
        self.process.wait(30)


def query(prometheus: str, text: str) -> list[dict[str, Any]]:
    found = json.loads(answers(f"{prometheus}/api/v1/query?{urlencode({'query': text})}"))
    return found["data"]["result"]


def test_a_recorded_series_says_what_the_service_did(service, prometheus):
    """Requests at /login are counted by both processes, scraped, and computed by the rules."""

    asked = (
        'service_release:http_requests:rate5m{service="auth"} > 0',
        "service:http_error_ratio:rate5m",
        "service_release:http_request_duration_seconds:p95_5m > 0",
    )

    def computed():
        answers(f"{service}/login")
        found = [query(prometheus, text) for text in asked]
        return [one for (one,) in found] if all(found) else None

    rate, errors, slowest = wait_for(computed, "the recorded series")

    assert rate["metric"]["release"] == "r-1"
    assert float(errors["value"][1]) == 0
    assert 0 < float(slowest["value"][1]) < 10


def test_every_rule_can_be_evaluated_over_it(prometheus):
    def evaluated():
        groups = json.loads(answers(f"{prometheus}/api/v1/rules"))["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        return rules if all(rule["health"] != "unknown" for rule in rules) else None

    rules = wait_for(evaluated, "the rules")

    assert [rule for rule in rules if rule["health"] != "ok"] == []
    pending = {rule["name"] for rule in rules if rule.get("state") in {"pending", "firing"}}
    assert {"ServiceDown", "SourceAway"} <= pending  # Neither billing nor Redis is there.
