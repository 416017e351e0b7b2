"""checkov over all modules, in one call."""

import shutil

from tests.scanning import compare, findings
from tests.terraform.working_copy import MODULES

# Planted, so that a scan that reads nothing is noticed.
OPEN = """
resource "aws_db_instance" "planted" {
  publicly_accessible = true
}
"""


def test_checkov_finds_nothing_that_has_no_reason(tmp_path):
    shutil.copytree(MODULES, tmp_path / "terraform", ignore=shutil.ignore_patterns(".terraform*"))
    (tmp_path / "terraform" / "planted.tf").write_text(OPEN)

    found = findings(tmp_path / "terraform", "terraform")

    planted = [one for one in found if one["resource"] == "aws_db_instance.planted"]
    assert "CKV_AWS_17" in {one["check_id"] for one in planted}
    compare("terraform", [one for one in found if one not in planted])
