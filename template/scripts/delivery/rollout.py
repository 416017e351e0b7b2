"""`flask rollout ...` inside a cluster: a Job of its own, which outlives whoever started it.

The Job goes on when a pipeline is cut off, and a pipeline that is run again finds it there. Its
end is that of the command: 0 everybody has the release, 1 it was bad and is rolled back, 3 paused.
"""

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scripts.delivery import Refused, deploy

JOB, ASIDE = "rollout", "rollout-aside"
LOOK_SECONDS = 5
SILENT_SECONDS = 600
NO_SUCH_KIND = "the server doesn't have a resource type"
KILLED = 20  # No end of the command's own.
Say = Callable[[str], None]


def run(words: list[str], namespace: str, say: Say, *, aside: bool = False) -> int:
    """Start it, and stay until its end; or follow it, if it runs already.

    One that is over is run again, as things may have changed since: a command that has nothing
    left to do says so. Aside, it runs beside one that is under way: to look, to pause, to go back.
    """
    of = Cluster(namespace, ASIDE if aside else JOB)
    there = of.job()
    if there and not is_over(there):
        if subject(words_of(there)) != subject(words):
            raise Refused(f"Another one runs: {' '.join(words_of(there))}")
        say("It runs already; this follows it.")
    else:
        of.clear()
        of.kubectl("apply", "--filename", "-", given=manifests(words, namespace, aside=aside))
    end = followed(of, say)
    of.clear()
    return end


def subject(words: list[str]) -> list[str]:
    """What is done with which release; not who it was, or why."""
    return words[: words.index("--why")] if "--why" in words else words


def manifests(words: list[str], namespace: str, *, aside: bool = False) -> str:
    """The Job as the chart has it, for what is installed."""
    values = {"rollout": {"run": words, "aside": aside}}
    return deploy.rendered(values, namespace, "templates/rollout.yaml")


def followed(of: "Cluster", say: Say) -> int:
    """What it says, until it's over; then how it ended. A cluster may be away for a while."""
    seen, heard_at = 0, time.monotonic()
    while True:
        found, lines, trouble = look(of)
        for line in lines[seen:]:
            say(line)
        seen = max(seen, len(lines))
        if found and is_over(found):
            return end_of(of, found)
        if seen and not trouble:
            heard_at = time.monotonic()
        if time.monotonic() - heard_at > SILENT_SECONDS:
            why = trouble or f"No pod of job/{of.name} has begun: kubectl describe it."
            raise Refused(f"{why}\nIt goes on without us. Run this again to follow it.")
        time.sleep(LOOK_SECONDS)


def look(of: "Cluster") -> tuple[dict[str, Any] | None, list[str], str]:
    """The job, all that it said so far, and what keeps us from knowing that."""
    try:
        found, lines = of.job(), of.logs()
    except Refused as away:
        return None, [], str(away)
    if found is None:
        raise Refused(f"The job {of.name} is gone: somebody deleted it.")
    return found, lines, ""


def words_of(found: dict[str, Any]) -> list[str]:
    words: list[str] = found["spec"]["template"]["spec"]["containers"][0]["args"]
    return words


def is_over(found: dict[str, Any]) -> bool:
    conditions = found.get("status", {}).get("conditions", [])
    return any(
        one["type"] in {"Complete", "Failed"} and one["status"] == "True" for one in conditions
    )


def end_of(of: "Cluster", found: dict[str, Any]) -> int:
    if found["status"].get("succeeded"):
        return 0
    ends = [
        container["state"]["terminated"]["exitCode"]
        for pod in sorted(of.pods(), key=lambda pod: pod["metadata"]["creationTimestamp"])
        for container in pod["status"].get("containerStatuses", [])
        if "terminated" in container["state"]
    ]
    return ends[-1] if ends else KILLED


@dataclass(frozen=True)
class Cluster:
    """One of the jobs in a namespace, by kubectl."""

    namespace: str
    name: str

    def job(self) -> dict[str, Any] | None:
        said = self.kubectl("get", f"job/{self.name}", "--ignore-not-found", "--output", "json")
        found: dict[str, Any] | None = json.loads(said) if said.strip() else None
        return found

    def pods(self) -> list[dict[str, Any]]:
        of_it = ("--selector", f"job-name={self.name}", "--output", "json")
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", "pods", *of_it))["items"]
        return found

    def logs(self) -> list[str]:
        """All that it said so far; nothing while no pod has begun."""
        of_it = ("--selector", f"job-name={self.name}", "--tail", "-1")
        try:
            return self.kubectl("logs", *of_it).splitlines()
        except Refused:
            return []

    def clear(self) -> None:
        """The owner's URL is in the cluster for no longer than it's needed."""
        policies = (f"networkpolicy/{self.name}", f"networkpolicy/{self.name}-asks")
        self.kubectl("delete", f"job/{self.name}", *policies, "--ignore-not-found", "--wait")
        try:
            self.kubectl("delete", f"externalsecret/{self.name}", "--ignore-not-found", "--wait")
        except Refused as refusal:
            if NO_SUCH_KIND not in str(refusal):  # Then there is nothing of that kind, either.
                raise

    def kubectl(self, *arguments: str, given: str = "") -> str:
        command = ["kubectl", "--namespace", self.namespace, *arguments]
        try:
            done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise Refused("kubectl isn't installed.") from None
        if done.returncode:
            raise Refused(f"kubectl {arguments[0]} failed:\n{done.stderr.strip()}")
        return done.stdout
