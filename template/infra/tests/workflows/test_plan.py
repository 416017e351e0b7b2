"""The words for a plan, of a plan that Terraform really made."""

import json
import sys

import pytest

from tests.tools import clean_environment, run, succeed, tool

# It needs no provider: `terraform_data` is built in.
TEXT = """
variable "password" {
  default   = "hunter2"
  sensitive = true
}
resource "terraform_data" "kept" { input = var.password }
resource "terraform_data" "more" { input = "first" }
"""
PLAN = (sys.executable, "-m", "scripts.delivery", "plan")


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    folder = tmp_path_factory.mktemp("module")
    (folder / "main.tf").write_text(TEXT)
    terraform(folder, "init")
    return folder


def terraform(folder, *words: str) -> str:
    quiet = clean_environment(TF_IN_AUTOMATION="1", TF_INPUT="0", CHECKPOINT_DISABLE="1")
    return succeed(tool("terraform"), *words, cwd=folder, env=quiet)


def planned(folder, name: str):
    terraform(folder, "plan", f"-out={name}.tfplan")
    file = folder / f"{name}.json"
    file.write_text(terraform(folder, "show", "-json", f"{name}.tfplan"))
    return file


def test_what_was_approved_is_what_is_applied(module):
    file = planned(module, "first")
    said, approved = succeed(*PLAN, file), succeed(*PLAN, file, "--fingerprint").strip()
    assert said.startswith("2 to add\n")
    assert approved in said
    assert "hunter2" not in said

    again = planned(module, "again")
    assert run(*PLAN, again, "--approved", approved).returncode == 0

    (module / "main.tf").write_text(TEXT.replace("first", "second"))
    other = run(*PLAN, planned(module, "other"), "--approved", approved)
    assert other.returncode == 1
    assert "This isn't the plan that was approved" in other.stderr


def test_after_it_is_applied_nothing_would_change(module):
    planned(module, "last")
    terraform(module, "apply", "last.tfplan")

    file = planned(module, "none")

    assert succeed(*PLAN, file) == "Nothing would change.\n"
    assert json.loads(file.read_text())["format_version"]
