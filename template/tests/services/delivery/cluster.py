"""A cluster played by two programs: helm keeps the values that it's given, kubectl keeps a job."""

import json
import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[3]
DELIVERY = (sys.executable, "-m", "scripts.delivery")
COMMON = f"""\
#!{sys.executable}
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
kept, ends = here / "job.json", here / "ends"
match words:
    case ["apply", *_]:
        args = json.loads(sys.stdin.read())["rollout"]["run"]
        container = {"args": args}
        kept.write_text(json.dumps({"spec": {"template": {"spec": {"containers": [container]}}}}))
    case ["get", "job/rollout", *_] if kept.exists():
        looks = here / "looks"
        looks.write_text(looks.read_text() + "." if looks.exists() else ".")
        job = json.loads(kept.read_text())
        if len(looks.read_text()) > 2:
            kind = "Failed" if ends.read_text() != "0" else "Complete"
            job["status"] = {"conditions": [{"type": kind, "status": "True"}]}
            job["status"]["succeeded"] = int(kind == "Complete")
        print(json.dumps(job))
    case ["get", "pods", *_]:
        state = {"terminated": {"exitCode": int(ends.read_text())}}
        status = {"containerStatuses": [{"state": state}]}
        print(json.dumps({"items": [{"metadata": {"creationTimestamp": ""}, "status": status}]}))
    case ["logs", *_]:
        looked = len((here / "looks").read_text()) if (here / "looks").exists() else 0
        print(*["wave canary\\n", "wave rest\\n"][:looked], sep="", end="")
    case ["delete", "job/rollout", *_]:
        kept.unlink(missing_ok=True)
        (here / "looks").unlink(missing_ok=True)
    case ["delete", what, *_] if what.startswith("externalsecret"):
        sys.exit('error: the server doesn\\'t have a resource type "externalsecret"')
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
        (folder / "ends").write_text("0")

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
