"""A cluster played by two programs: helm keeps the values that it's given, kubectl keeps a job."""

import json
import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[3]
DELIVERY = (sys.executable, "-m", "scripts.delivery")
COMMON = f"""\
#!{sys.executable} -IS
import json, pathlib, sys
here = pathlib.Path(__file__).parent
words = sys.argv[1:]
with (here / "said.jsonl").open("a") as log:
    log.write(json.dumps([pathlib.Path(__file__).name, *words]) + "\\n")
if (here / "away").exists():
    sys.exit("Error: Kubernetes cluster unreachable")
def files():
    return [words[place + 1] for place, word in enumerate(words) if word == "--values"]
"""
HELM = """\
kept = here / "values.json"
match words:
    case ["list", *_]:
        print(json.dumps([{"name": "app"}] if kept.exists() else []))
    case ["get", "values", *_]:
        print(kept.read_text())
    case ["upgrade", *_]:
        kept.write_text(pathlib.Path(files()[-1]).read_text())
    case ["template", *_]:
        print(pathlib.Path(files()[-1]).read_text())
"""
KUBECTL = """\
words = words[2:]  # --namespace app
ends = json.loads((here / "ends").read_text())
def kept(name):
    return here / f"{name}.json"
def end_of(args):
    return ends.get(args[2], 0)
match words:
    case ["apply", *_]:
        rollout = json.loads(sys.stdin.read())["rollout"]
        container = {"args": rollout["run"]}
        job = {"looks": 0, "spec": {"template": {"spec": {"containers": [container]}}}}
        kept("rollout-aside" if rollout["aside"] else "rollout").write_text(json.dumps(job))
        with (here / "jobs.jsonl").open("a") as log:
            log.write(json.dumps(rollout["run"]) + "\\n")
    case ["get", job, *_] if job.startswith("job/"):
        file = kept(job[4:])
        if file.exists():
            job = json.loads(file.read_text())
            job["looks"] += 1
            if job["looks"] > 2:
                end = end_of(job["spec"]["template"]["spec"]["containers"][0]["args"])
                kind = "Failed" if end else "Complete"
                job["status"] = {"conditions": [{"type": kind, "status": "True"}]}
                job["status"]["succeeded"] = int(not end)
            file.write_text(json.dumps(job))
            print(json.dumps(job))
    case ["get", "pods", "--selector", selector, *_]:
        job = json.loads(kept(selector.removeprefix("job-name=")).read_text())
        end = end_of(job["spec"]["template"]["spec"]["containers"][0]["args"])
        status = {"containerStatuses": [{"state": {"terminated": {"exitCode": end}}}]}
        print(json.dumps({"items": [{"metadata": {"creationTimestamp": ""}, "status": status}]}))
    case ["logs", "--selector", selector, *_]:
        job = json.loads(kept(selector.removeprefix("job-name=")).read_text())
        args = job["spec"]["template"]["spec"]["containers"][0]["args"]
        lines = 0 if args[3:4] == ["silent"] else job["looks"]
        print("Everybody has r-1 again.\\n" if args[2] == "rollback" else "", end="")
        print(*[f"{args[2]} says {number}\\n" for number in range(lines)], sep="", end="")
    case ["delete", what, *_] if what.startswith("job/"):
        kept(what[4:]).unlink(missing_ok=True)
    case ["delete", what, *_] if what.startswith("externalsecret"):
        sys.exit("error: the server doesn't have a resource type externalsecret")
"""
FLASK = """\
sys.exit((here / "refused").read_text() if (here / "refused").exists() else 0)
"""


class Cluster:
    """What a command does to a cluster, and what it's told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in (("helm", HELM), ("kubectl", KUBECTL), ("flask", FLASK)):
            program = folder / name
            program.write_text(COMMON + text)
            program.chmod(0o755)
        self.ends()

    def ends(self, **ends: int) -> None:
        """How these of `flask rollout ...` end; the others end well."""
        (self.folder / "ends").write_text(json.dumps(ends))

    @property
    def rolled(self) -> list[list[str]]:
        """The words after `flask rollout` that ran in the cluster, one after the other."""
        given = (json.loads(line) for line in (self.folder / "jobs.jsonl").read_text().splitlines())
        return [words[2:] for words in given]

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*DELIVERY, *arguments],
            cwd=PROJECT,
            env=os.environ | {"PATH": f"{self.folder}{os.pathsep}{os.environ['PATH']}"},
            check=False,
            capture_output=True,
            text=True,
        )

    @property
    def values(self):
        file = self.folder / "values.json"
        return json.loads(file.read_text()) if file.exists() else None

    @property
    def commands(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.folder / "said.jsonl").read_text().splitlines()]
