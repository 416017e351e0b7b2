"""`flask rollout ...` inside a cluster: a Job of its own, which outlives whoever started it.

The Job goes on when a pipeline is cut off, and a pipeline that is run again finds it there. Its
end is that of the command: 0 everybody has the release, 1 it was bad and is rolled back, 3 paused.
"""

import json
import subprocess
import time
from collections.abc import Callable
from typing import Any

from scripts.delivery import Refused, deploy

JOB = "rollout"
# What the chart renders for it. Not every cluster has the last kind.
BESIDES = (f"networkpolicy/{JOB}", f"networkpolicy/{JOB}-asks", f"externalsecret/{JOB}")
LOOK_SECONDS = 5
NO_SUCH_KIND = "the server doesn't have a resource type"
KILLED = 20  # No end of the command's own.


def run(words: list[str], namespace: str, say: Callable[[str], None]) -> int:
    """Start it, unless one of the same words runs already, and stay until its end."""
    there = job(namespace)
    if there and not is_over(there):
        if words_of(there) != words:
            raise Refused(f"Another one runs: {' '.join(words_of(there))}")
        say("It runs already; this follows it.")
    else:
        clear(namespace)
        kubectl(namespace, "apply", "--filename", "-", given=manifests(words, namespace))
    try:
        return followed(namespace, say)
    finally:
        if is_over(job(namespace) or {}):
            clear(namespace)


def manifests(words: list[str], namespace: str) -> str:
    """The Job as the chart has it, for what is installed."""
    return deploy.rendered({"rollout": {"run": words}}, namespace, "templates/rollout.yaml")


def followed(namespace: str, say: Callable[[str], None]) -> int:
    """What it says, until it's over. A connection that breaks is taken up again."""
    seen = 0
    while True:
        lines = logs(namespace)
        for line in lines[seen:]:
            say(line)
        seen = max(seen, len(lines))
        found = job(namespace)
        if found is None:
            raise Refused(f"The job {JOB} is gone: somebody deleted it. See flask rollout status.")
        if is_over(found):
            for line in logs(namespace)[seen:]:
                say(line)
            return end_of(namespace, found)
        time.sleep(LOOK_SECONDS)


def job(namespace: str) -> dict[str, Any] | None:
    said = kubectl(namespace, "get", f"job/{JOB}", "--ignore-not-found", "--output", "json")
    found: dict[str, Any] | None = json.loads(said) if said.strip() else None
    return found


def words_of(found: dict[str, Any]) -> list[str]:
    words: list[str] = found["spec"]["template"]["spec"]["containers"][0]["args"]
    return words


def is_over(found: dict[str, Any]) -> bool:
    conditions = found.get("status", {}).get("conditions", [])
    return any(
        one["type"] in {"Complete", "Failed"} and one["status"] == "True" for one in conditions
    )


def end_of(namespace: str, found: dict[str, Any]) -> int:
    if found["status"].get("succeeded"):
        return 0
    of_it = ("--selector", f"job-name={JOB}", "--output", "json")
    pods = json.loads(kubectl(namespace, "get", "pods", *of_it))["items"]
    ends = [
        container["state"]["terminated"]["exitCode"]
        for pod in sorted(pods, key=lambda pod: pod["metadata"]["creationTimestamp"])
        for container in pod["status"].get("containerStatuses", [])
        if "terminated" in container["state"]
    ]
    return ends[-1] if ends else KILLED


def logs(namespace: str) -> list[str]:
    """All that it said so far; nothing while there is no pod, or none of its lines can be had."""
    of_it = ("--selector", f"job-name={JOB}", "--tail", "-1")
    try:
        return kubectl(namespace, "logs", *of_it).splitlines()
    except Refused:
        return []


def clear(namespace: str) -> None:
    """The owner's URL is in the cluster for no longer than it's needed."""
    for what in (f"job/{JOB}", *BESIDES):
        try:
            kubectl(namespace, "delete", what, "--ignore-not-found", "--wait")
        except Refused as refusal:
            if NO_SUCH_KIND not in str(refusal):
                raise


def kubectl(namespace: str, *arguments: str, given: str = "") -> str:
    try:
        done = subprocess.run(
            ["kubectl", "--namespace", namespace, *arguments],
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise Refused("kubectl isn't installed.") from None
    if done.returncode:
        raise Refused(f"kubectl {arguments[0]} failed:\n{done.stderr.strip()}")
    return done.stdout
