"""Containers without a daemon: podman of the system's packages, and a base image from Debian.

No registry is asked. Images get the names of those that they stand for, so that the Dockerfile and
the chart are used as they are. Storage and configuration are this run's alone, and go with it.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools import PROJECT, clean_environment, in_app

SUITE = "trixie"
BASE = "docker.io/library/python:3.13-slim-trixie"
MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "infra-images"
PACKAGES = [
    *("podman", "buildah", "runc", "netavark", "aardvark-dns", "catatonit", "uidmap", "iptables"),
    "mmdebstrap",
]
# Where the machine reaches registries by a certificate authority of its own, so must a build.
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
TRUST = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
MIRRORS = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")

CONTAINERS = """
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "{folder}/tmp"
lock_type = "file"
[network]
network_backend = "netavark"
network_config_dir = "{folder}/networks"
"""
STORAGE = """
[storage]
driver = "overlay"
graphroot = "{folder}/graph"
runroot = "{folder}/run"
"""
POLICY = '{"default": [{"type": "insecureAcceptAnything"}]}'


class Failed(AssertionError):
    """A container program said no."""


def make_sure_podman_is_here() -> None:
    """Install it where that is possible, and skip the test with the reason where it isn't."""
    if not sys.platform.startswith("linux"):
        pytest.skip("podman: needs Linux")
    if os.geteuid() != 0:
        pytest.skip("podman: needs root here, for networks and limits of containers")
    missing = [name for name in ("podman", "runc", "mmdebstrap") if not shutil.which(name)]
    if not missing:
        return
    if not shutil.which("apt-get"):
        pytest.skip(f"podman: {', '.join(missing)} isn't installed, and there is no apt-get")
    for command in (
        ["update", "-qq"],
        ["install", "-y", "-qq", "--no-install-recommends", *PACKAGES],
    ):
        done = subprocess.run(["apt-get", *command], check=False, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"podman: apt-get {command[0]} failed: {done.stderr.strip()[-200:]}")


class Podman:
    """Podman with storage, networks and configuration in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        files = {
            "containers.conf": CONTAINERS,
            "storage.conf": STORAGE,
            "registries.conf": "unqualified-search-registries = []\n",
        }
        for name, text in files.items():
            (folder / name).write_text(text.replace("{folder}", str(folder)))
        (folder / "policy.json").write_text(POLICY)
        (folder / "networks").mkdir(exist_ok=True)
        self.environment = clean_environment(
            CONTAINERS_CONF=str(folder / "containers.conf"),
            CONTAINERS_STORAGE_CONF=str(folder / "storage.conf"),
            CONTAINERS_REGISTRIES_CONF=str(folder / "registries.conf"),
        )

    def __call__(self, *words: object, **options) -> str:
        """Run one of its commands, and return what it printed."""
        done = self.tried(*words, **options)
        if done.returncode:
            raise Failed(f"podman {' '.join(map(str, words))}\n{done.stdout}\n{done.stderr}")
        return done.stdout.strip()

    def tried(self, *words: object, **options) -> subprocess.CompletedProcess[str]:
        command = ["podman", *map(str, words)]
        settings = {"env": self.environment, "capture_output": True, "text": True} | options
        return subprocess.run(command, check=False, **settings)

    def build(self, context: Path, tag: str, *options: object) -> None:
        """Build an image from what is here alone."""
        policy = ("--signature-policy", self.folder / "policy.json")
        how = ("--isolation", "chroot", "--format", "docker", "--pull=never")
        self("build", "--quiet", *policy, *how, "--tag", tag, *options, context)

    def inspect(self, thing: str) -> dict:
        found: dict = json.loads(self("inspect", thing))[0]
        return found

    def remove_everything(self) -> None:
        self.tried("pod", "rm", "--all", "--force", "--time", "0")
        self.tried("rm", "--all", "--force", "--time", "0")
        self.tried("network", "prune", "--force")
        self.tried("rmi", "--all", "--force")
        self.tried("system", "reset", "--force")
        shutil.rmtree(self.folder, ignore_errors=True)


def debian() -> Path:
    """A small Debian with Python, as a tar that is made once and kept."""
    tar = CACHE / f"{SUITE}-python-1.tar"
    if tar.exists():
        return tar
    CACHE.mkdir(parents=True, exist_ok=True)
    made = tar.with_suffix(f".{os.getpid()}.tar")
    hooks = [
        # As in the official image: `python` is there, and pip may install.
        "ln -s ../../bin/python3 $1/usr/local/bin/python",
        "rm -f $1/usr/lib/python3*/EXTERNALLY-MANAGED",
    ]
    command = [
        "mmdebstrap",
        "--variant=minbase",
        "--include=python3,python3-venv,python3-pip,ca-certificates",
        *(f"--customize-hook={hook}" for hook in hooks),
        SUITE,
        str(made),
        MIRROR,
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"podman: no base image from {MIRROR}: {done.stderr.strip()[-200:]}")
    made.replace(tar)
    return tar


def make_base(podman: Podman) -> None:
    """The image that the Dockerfile begins with, under its name."""
    podman("import", "--quiet", "--change", "CMD python3", debian(), "localhost/debian:latest")
    context = podman.folder / "base"
    context.mkdir()
    lines = ["FROM localhost/debian:latest"]
    if AUTHORITIES.exists():
        shutil.copy(AUTHORITIES, context / "authorities.crt")
        lines.append(f"COPY authorities.crt {AUTHORITIES}")
        lines += [f"ENV {name}={AUTHORITIES}" for name in TRUST]
    lines += [f"ENV {name}={os.environ[name]}" for name in MIRRORS if os.environ.get(name)]
    (context / "Dockerfile").write_text("\n".join(lines) + "\n")
    podman.build(context, BASE)


def make_caddy(podman: Podman, tag: str) -> None:
    """Caddy's image as the chart names it: the program of the project's own environment, with the
    file capability that the official image gives it."""
    context = podman.folder / "caddy"
    context.mkdir()
    where = "from app.stages.services.dev_system import caddy; print(caddy())"
    shutil.copy(in_app("python", "-c", where).strip(), context / "caddy")
    mark = (
        "import os, struct; "
        "flags = 0x02000001; bits = 1 << 10; "  # Revision 2, effective; CAP_NET_BIND_SERVICE.
        "os.setxattr('/usr/bin/caddy', 'security.capability', "
        "struct.pack('<IIIII', flags, bits, 0, 0, 0))"
    )
    (context / "Dockerfile").write_text(
        f"FROM {BASE}\n"
        "COPY --chmod=755 caddy /usr/bin/caddy\n"
        f'RUN ["python3", "-c", "{mark}"]\n'
        'CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]\n'
    )
    podman.build(context, tag)


def make_app(podman: Podman, tag: str) -> None:
    """The project's image, from its Dockerfile as it is."""
    in_app("true")  # Makes uv.lock, where nobody has yet.
    podman.build(PROJECT, tag)
