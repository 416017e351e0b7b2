"""The pods of a rendered chart in podman, by `podman play kube`.

What a cluster would do besides is done here by hand: a Service's name is the name of its pod on the
network, a Job's pod is waited for, probes are asked from outside (podman would want curl in the
image and systemd beside it). No policy of the network holds. Podman 4.3 would open the ports of
each pod on the machine, share an emptyDir among all pods that call it the same, and start a
container that has ended again and again, so pods have no ports, volumes are called after their
pods, and nothing is started a second time: what crashes shows. It makes no folder in a ConfigMap's
volume, so the gateway's rules are beside its configuration instead of below it.
"""

import base64
import json
import subprocess
import time
import urllib.error
import urllib.request
from copy import deepcopy
from pathlib import Path
from socket import create_connection
from typing import Any

import yaml

from tests.helm.chart import Manifest, Rendered, selects
from tests.image.containers import Podman

PATIENCE = 120
# Else podman removes an init container as soon as it has ended, and is too early with it.
KEEP = {"io.podman.annotations.init.container.type": "always"}


class Cluster:
    """The pods of one rendered chart."""

    def __init__(self, podman: Podman, network: str, manifests: Rendered) -> None:
        self.podman, self.network, self.manifests = podman, network, manifests
        self.folder = podman.folder / "played"
        self.folder.mkdir(exist_ok=True)

    def keep(self, secrets: dict[str, dict[str, str]]) -> None:
        """Secrets, as podman 4.3 wants them: a map of what is encoded, in JSON."""
        for name, values in secrets.items():
            encoded = {k: base64.b64encode(v.encode()).decode() for k, v in values.items()}
            file = self.folder / f"{name}.json"
            file.write_text(json.dumps(encoded))
            self.podman("secret", "create", name, file)

    def play(self, manifest: Manifest) -> str:
        """Start the pod of a Deployment, a Job or a test; returns its name."""
        name = manifest["metadata"]["name"]
        file = self.folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump_all([*self.config_maps(manifest), pod_of(manifest)]))
        place = f"{self.network}:alias={name}"
        self.podman("play", "kube", "--quiet", "--network", place, file)
        return name

    def config_maps(self, manifest: Manifest) -> list[Manifest]:
        """Those that a pod names: podman reads them from the same file."""
        text = json.dumps(manifest)
        return [
            one for one in self.manifests.of("ConfigMap") if f'"{one["metadata"]["name"]}"' in text
        ]

    def run(self, manifest: Manifest) -> str:
        """Run a pod to its end; returns what it said. Fails with that if it went wrong."""
        pod = self.play(manifest)
        (container,) = self.containers(pod)
        code = self.podman("wait", container, timeout=PATIENCE)
        said = self.log(container)
        assert code == "0", f"{pod} ended with {code}:\n{said}"
        self.podman("pod", "rm", "--force", pod)
        return said

    def containers(self, pod: str) -> list[str]:
        """The names of a pod's containers, without the one that holds the network."""
        found = self.podman("ps", "--all", "--filter", f"pod={pod}", "--format", "{{.Names}}")
        return [name for name in found.split() if not name.endswith("-infra")]

    def log(self, container: str) -> str:
        done = self.podman.tried("logs", container)
        return done.stdout + done.stderr

    def address(self, pod: str) -> str:
        """Where the pod is on the network."""
        infra = self.podman("pod", "inspect", pod, "--format", "{{.InfraContainerID}}")
        networks = self.podman.inspect(infra)["NetworkSettings"]["Networks"]
        found: str = networks[self.network]["IPAddress"]
        return found

    def wait(self, manifest: Manifest) -> float:
        """Until the startup and readiness probes of a Deployment say yes; returns the seconds."""
        pod = manifest["metadata"]["name"]
        began, address = time.monotonic(), self.address(pod)
        for container in manifest["spec"]["template"]["spec"]["containers"]:
            for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
                while kind in container and (problem := asked(address, container, kind)):
                    if time.monotonic() - began > PATIENCE:
                        log = self.log(f"{pod}-{container['name']}")
                        raise TimeoutError(f"{pod}: {kind}: {problem}\n{log}")
                    time.sleep(0.2)
        return time.monotonic() - began

    def behind(self, service: Manifest) -> list[str]:
        """The Deployments that a Service sends requests to."""
        return [
            one["metadata"]["name"]
            for one in self.manifests.of("Deployment")
            if selects(
                {"matchLabels": service["spec"]["selector"]},
                one["spec"]["template"]["metadata"]["labels"],
            )
        ]

    def memory(self, container: str) -> float:
        """What its processes use now, in MiB, without what the kernel may give back."""
        pid = self.podman.inspect(container)["State"]["Pid"]
        group = Path(f"/proc/{pid}/cgroup").read_text()
        return memory_of(group) / 2**20


def pod_of(manifest: Manifest) -> Manifest:
    """The pod that is made of a manifest, as podman 4.3 can run it, see above."""
    name = manifest["metadata"]["name"]
    template = manifest if manifest["kind"] == "Pod" else manifest["spec"]["template"]
    spec = deepcopy(template["spec"])
    take_rules_out(spec)
    for volume in spec["volumes"]:
        volume["name"] = f"{name}-{volume['name']}"
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        for mount in container["volumeMounts"]:
            mount["name"] = f"{name}-{mount['name']}"
        for left_out in ("ports", "startupProbe", "readinessProbe", "livenessProbe"):
            container.pop(left_out, None)
    labels = {"labels": template["metadata"]["labels"]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": labels | {"name": name, "annotations": KEEP},
        "spec": spec | {"restartPolicy": "Never"},
    }


def take_rules_out(spec: Manifest) -> None:
    """Mount what a volume has in its folder `rules` in a place of its own, and say so to Caddy."""
    for volume in list(spec["volumes"]):
        items = volume.get("configMap", {}).get("items", [])
        below = [one for one in items if one["path"].startswith("rules/")]
        if not below:
            continue
        volume["configMap"]["items"] = [one for one in items if one not in below]
        beside = [one | {"path": Path(one["path"]).name} for one in below]
        rules = volume["configMap"] | {"items": beside}
        spec["volumes"].append({"name": "rules", "configMap": rules})
        for container in spec["containers"]:
            if any(mount["name"] == volume["name"] for mount in container["volumeMounts"]):
                mounted = {"name": "rules", "mountPath": "/rules", "readOnly": True}
                container["volumeMounts"].append(mounted)
                container["env"].append({"name": "GATEWAY_RULES", "value": "/rules"})


def memory_of(group: str) -> int:
    for line in group.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "memory":
            base = Path("/sys/fs/cgroup/memory" + path)
            used, stat = base / "memory.usage_in_bytes", base / "memory.stat"
            return int(used.read_text()) - value_in(stat, "total_inactive_file")
        if controllers == "":
            base = Path("/sys/fs/cgroup" + path)
            if (base / "memory.current").exists():
                return int((base / "memory.current").read_text()) - value_in(
                    base / "memory.stat", "inactive_file"
                )
    return 0


def value_in(file: Path, name: str) -> int:
    found = [line.split()[1] for line in file.read_text().splitlines() if line.split()[0] == name]
    return int(found[0]) if found else 0


def asked(address: str, container: dict[str, Any], kind: str) -> str:
    """What a probe finds wrong, as the kubelet would ask; nothing if all is well."""
    probe = container[kind]
    how = probe.get("httpGet") or probe["tcpSocket"]
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    port = ports.get(how["port"], how["port"])
    timeout = probe.get("timeoutSeconds", 1)
    try:
        if "httpGet" in probe:
            urllib.request.urlopen(f"http://{address}:{port}{how['path']}", timeout=timeout).close()
        else:
            create_connection((address, port), timeout).close()
    except urllib.error.HTTPError as error:
        return f"{error.code}: {error.read().decode()}"
    except OSError as error:
        return repr(error)
    return ""


def status_of(podman: Podman, container: str) -> dict[str, str]:
    """What the kernel says of a container's first process."""
    pid = podman.inspect(container)["State"]["Pid"]
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def terminate(podman: Podman, container: str, grace: int) -> tuple[int, float]:
    """Stop it as the kubelet does; returns its exit code and how long it took."""
    began = time.monotonic()
    subprocess.run(
        ["podman", "stop", "--time", str(grace), container],
        env=podman.environment,
        check=True,
        capture_output=True,
    )
    code: int = podman.inspect(container)["State"]["ExitCode"]
    return code, time.monotonic() - began
