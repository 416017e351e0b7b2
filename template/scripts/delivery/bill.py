"""The bill of materials (SBOM): each package that the image installs, with its hashes.

It's made of uv.lock, which is what the Dockerfile installs from. What the base image brings is
found by the scan of the image.
"""

import json
import subprocess
from pathlib import Path

from scripts.delivery import Refused

PROJECT = Path(__file__).resolve().parents[2]
# As in the Dockerfile: `uv sync --locked --no-group dev`.
EXPORT = (
    *("uv", "export", "--quiet", "--locked", "--no-group", "dev"),
    *("--format", "cyclonedx1.5", "--preview-features", "sbom-export"),
)


def bill_of(release: str, project: Path = PROJECT) -> dict[str, object]:
    """CycloneDX 1.5 as JSON; the application in it has the release's name as its version."""
    done = subprocess.run(EXPORT, cwd=project, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(
            f"uv can't tell what is installed: {done.stderr.strip()}\n"
            "Is uv.lock committed, and up to date? uv lock"
        )
    bill: dict[str, object] = json.loads(done.stdout)
    whole = bill["metadata"]["component"]  # type: ignore[index]
    whole["type"], whole["version"] = "application", release
    return bill
