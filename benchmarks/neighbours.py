"""Measures what a workspace that floods does to its neighbours, with and without the throttle.

    python benchmarks/neighbours.py PROJECT [--rounds 3] [--seconds 10] [--json FILE]

Ten quiet workspaces ask for their list twice a second each, through the gateway; one workspace
asks with 24 connections for a heavy page, as fast as it gets answers, and honours nothing. The
flood's client has the lowest priority: it stands for another machine. Each round measures quiet,
flood without a throttle, flood with it; the figures are ratios to the same round's quiet.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import own_python
from servers import Server, free_port, gunicorn, running
from services import show

QUIET = 10
EACH_SECONDS = 0.5
FLOOD = 24
LIST, HEAVY = "/t/{slug}/api/v1/projects/", "/t/acme/api/v1/projects/"
OPEN, ALLOWANCE = "1000000:1000000", "10:20"
# The gateway and whoever floods have a processor apart from the product's, as if on a machine of
# their own; without a second one they share it.
PROCESSORS = sorted(os.sched_getaffinity(0))
ON_ITS_OWN = ["taskset", "-c", str(PROCESSORS[0])]


def main(arguments: list[str]) -> None:
    wish = wishes(arguments)
    project = wish.project.resolve()
    own_python.enter(project, __file__, arguments)
    figures = measure(project, wish)
    show(figures)
    if wish.json:
        wish.json.write_text(json.dumps(figures, indent=2))


def wishes(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("project", type=Path, help="A generated project of the hardened stage.")
    parser.add_argument("--rounds", type=int, default=3, help="How often each is measured.")
    parser.add_argument("--seconds", type=float, default=10, help="How long each time.")
    parser.add_argument("--json", type=Path, help="Write the figures to this file too.")
    return parser.parse_args(arguments)


def measure(project: Path, wish: argparse.Namespace) -> dict[str, object]:
    import world as worlds
    from app.dev.postgres import Postgres
    from app.stages.services.dev_system import valkey

    with TemporaryDirectory(prefix="bench-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL may run as somebody else.
        postgres = stack.enter_context(Postgres(folder / "postgres"))
        postgres.make_database("pooled")
        url, os.environ["MIGRATIONS_DATABASE_URL"] = postgres.make_roles("pooled")
        world = worlds.make_world(url, folder)
        tokens = worlds.make_neighbours(world, folder, QUIET)
        redis_port = free_port()
        redis = subprocess.Popen([valkey(), "--port", str(redis_port), "--save", ""], stdout=-3)
        stack.callback(redis.wait)
        stack.callback(redis.terminate)
        settings = [
            {**world.settings, "REDIS_URL": f"redis://127.0.0.1:{redis_port}/{number}"}
            | {"THROTTLE": allowance, "THROTTLE_SHARE": share}
            for number, (allowance, share) in enumerate([(OPEN, "1"), (ALLOWANCE, "0.5")])
        ]
        systems = {
            "without": system(project, folder, stack, "open", settings[0]),
            "with": system(project, folder, stack, "throttled", settings[1]),
        }
        warm(systems, tokens)
        rounds = [one_round(systems, tokens, world.token, wish.seconds) for _ in range(wish.rounds)]
    return {
        "client of the flood": "wrk" if shutil.which("wrk") else "own",
        "allowance": ALLOWANCE,
        "rounds": wish.rounds,
        **{phase: summed([one[phase] for one in rounds], rounds) for phase in rounds[0]},
    }


def system(
    project: Path, folder: Path, stack: ExitStack, name: str, settings: dict[str, str]
) -> Server:
    """The product in one process group behind a gateway, with what follows beside it."""
    app = stack.enter_context(
        gunicorn(folder, name, "app:create_app()", project, settings | {"TRUSTED_PROXIES": "1"})
    )
    for process in processes_of(app.process.pid):
        os.sched_setaffinity(process, PROCESSORS[1:] or PROCESSORS)
    return stack.enter_context(gateway(project, folder, name, app.port, settings, stack))


def gateway(
    project: Path,
    folder: Path,
    name: str,
    upstream: int,
    settings: dict[str, str],
    stack: ExitStack,
):
    from app.stages.hardened.throttle import edge
    from app.stages.services.dev_system import caddy as binary

    rules, away = folder / f"{name}-rules", folder / f"{name}-away"
    rules.mkdir()
    (rules / "away.caddy").write_text(edge.rule(away, room := f"127.0.0.1:{free_port()}"))
    flask = [sys.executable, "-m", "flask", "--app", "app"]
    follow = [*flask, "throttle", "follow", str(away), "--waiting-room", room]
    follower = subprocess.Popen(follow, cwd=project, env={**os.environ, **settings})
    stack.callback(follower.wait)
    stack.callback(follower.terminate)
    port = free_port()
    services = ("AUTH", "BILLING", "ANALYTICS", "FEATURES")
    env = {f"{service}_UPSTREAMS": f"127.0.0.1:{upstream}" for service in services}
    env |= {"GATEWAY_ADDRESS": f":{port}", "GATEWAY_BIND": "127.0.0.1", "GATEWAY_RULES": str(rules)}
    env |= {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    config = str(project / "deploy" / "Caddyfile")
    command = [*ON_ITS_OWN, binary(), "run", "--adapter", "caddyfile", "--config", config]
    return running(folder, f"{name}-gateway", command, port, project, env)


def processes_of(session: int) -> list[int]:
    """A server and its workers: they share a session."""
    found = subprocess.run(["ps", "-s", str(session), "-o", "pid="], capture_output=True, text=True)
    return [int(pid) for pid in found.stdout.split()]


def warm(systems: dict[str, Server], tokens: dict[str, str]) -> None:
    for server in systems.values():
        neighbours(server, tokens, 2)


def one_round(
    systems: dict[str, Server], tokens: dict[str, str], token: str, seconds: float
) -> dict[str, dict[str, float]]:
    found = {"quiet": figures_of(neighbours(systems["with"], tokens, seconds))}
    for name, server in systems.items():
        flood = flooding(server, token, seconds + 2)
        time.sleep(1)  # It floods, and whoever watches has seen it.
        found[f"flood {name} the throttle"] = figures_of(neighbours(server, tokens, seconds))
        flood.wait()
        time.sleep(3)  # Nobody is turned away any more.
    return found


def flooding(server: Server, token: str, seconds: float) -> subprocess.Popen[bytes]:
    url, header = server.url(HEAVY), f"Bearer {token}"
    if shutil.which("wrk"):
        options = ["-t1", f"-c{FLOOD}", f"-d{round(seconds)}s", "-H", f"Authorization: {header}"]
        command = ["wrk", *options, url]
    else:
        asked = {"url": url, "headers": {"Authorization": header}, "seconds": seconds}
        client = str(Path(__file__).with_name("client.py"))
        command = [sys.executable, client, json.dumps(asked | {"connections": FLOOD})]
    return subprocess.Popen([*ON_ITS_OWN, "nice", "-n", "19", *command], stdout=subprocess.DEVNULL)


def neighbours(server: Server, tokens: dict[str, str], seconds: float) -> list[float]:
    """The seconds that each answer took, for all quiet workspaces. A refusal ends the benchmark."""
    import urllib3

    took: list[float] = []
    bad: list[str] = []
    http = urllib3.PoolManager(maxsize=QUIET, retries=False, timeout=30)

    def ask(slug: str, token: str, offset: float) -> None:
        until = time.perf_counter() + seconds
        due = time.perf_counter() + offset
        while due < until:
            time.sleep(max(0.0, due - time.perf_counter()))
            began = time.perf_counter()
            url = server.url(LIST.format(slug=slug))
            answer = http.request("GET", url, headers={"Authorization": f"Bearer {token}"})
            took.append(time.perf_counter() - began)
            if answer.status != 200:
                bad.append(f"{slug}: {answer.status}")
            due = max(due + EACH_SECONDS, time.perf_counter())

    threads = [
        threading.Thread(target=ask, args=(slug, token, number * EACH_SECONDS / QUIET))
        for number, (slug, token) in enumerate(tokens.items())
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if bad:
        raise SystemExit(f"A quiet workspace was refused: {bad[:3]}")
    return took


def figures_of(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        name: 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * share))]
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    }


def summed(
    its: list[dict[str, float]], rounds: list[dict[str, dict[str, float]]]
) -> dict[str, object]:
    """The median of the rounds in milliseconds, and of their ratios to quiet."""
    found: dict[str, object] = {}
    for name in its[0]:
        found[f"{name}, ms"] = round(median(one[name] for one in its), 1)
        ratios = [one[name] / whole["quiet"][name] for one, whole in zip(its, rounds, strict=True)]
        found[f"{name}, times quiet"] = round(median(ratios), 2)
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
