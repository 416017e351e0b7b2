"""checkov over all workflows, in one call."""

import shutil

from tests.scanning import compare, findings
from tests.tools import PROJECT

# Planted, so that a scan that reads nothing is noticed.
OPEN = """\
name: Planted
on: push
permissions: {}
jobs:
  planted:
    runs-on: ubuntu-24.04
    env:
      ACTIONS_ALLOW_UNSECURE_COMMANDS: true
    steps:
      - run: "true"
"""


def test_checkov_finds_nothing_that_has_no_reason(tmp_path):
    workflows = tmp_path / ".github" / "workflows"
    shutil.copytree(PROJECT / ".github" / "workflows", workflows)
    (workflows / "planted.yml").write_text(OPEN)

    found = findings(tmp_path, "github_actions")

    planted = [one for one in found if "planted" in one["resource"]]
    assert "CKV_GHA_1" in {one["check_id"] for one in planted}
    compare("workflows", [one for one in found if one not in planted])
