"""checkov: one call over everything of a part, and the exceptions of infra/checkov.yaml."""

import json
from pathlib import Path
from typing import Any

import yaml

from tests.tools import INFRA, clean_environment, pinned, run

EXCEPTIONS = INFRA / "checkov.yaml"
Finding = dict[str, Any]


def findings(folder: Path, *frameworks: str) -> list[Finding]:
    """What checkov holds against what lies in a folder."""
    how = ("--compact", "--quiet", "--skip-download", "--output", "json")
    command = [*pinned("checkov"), "--directory", folder, "--framework", *frameworks, *how]
    done = run(*command, env=clean_environment(LOG_LEVEL="ERROR"))
    assert done.returncode in (0, 1), done.stderr  # 1: it found something.
    reports = json.loads(done.stdout)
    reports = reports if isinstance(reports, list) else [reports]
    assert {one.get("check_type") for one in reports} == set(frameworks), (
        f"checkov read nothing for one of {frameworks}: {done.stdout[:400]}"
    )
    for one in reports:
        assert not one["results"].get("parsing_errors"), one["results"]["parsing_errors"]
    return [found for one in reports for found in one["results"]["failed_checks"]]


def excepted(exception: Finding, found: Finding) -> bool:
    where = str(exception.get("where", ""))
    return exception["check"] == found["check_id"] and where in found["resource"]


def compare(part: str, found: list[Finding]) -> None:
    """Fail on what no exception covers, and on an exception that covers nothing."""
    exceptions = yaml.safe_load(EXCEPTIONS.read_text())[part]
    assert all(one.get("because", "").strip() for one in exceptions), "an exception has a reason"
    left = [
        f"{one['check_id']} {one['resource']}: {one['check_name']}"
        for one in found
        if not any(excepted(exception, one) for exception in exceptions)
    ]
    assert not left, "mend it, or say in infra/checkov.yaml why not:\n" + "\n".join(sorted(left))
    unused = [
        one
        for one in exceptions
        if not one.get("sometimes") and not any(excepted(one, other) for other in found)
    ]
    assert not unused, f"nothing needs these exceptions any more: {unused}"
