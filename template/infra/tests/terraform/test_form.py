"""How the modules are written."""

import re
import shutil

import hcl2
import pytest

from tests.terraform.working_copy import MODULES, WorkingCopy

ROOTS = [MODULES, MODULES / "account"]
ALL = [*ROOTS, *sorted((MODULES / "modules").iterdir())]


def named(kind: str, folder) -> list[str]:
    text = "".join(path.read_text() for path in folder.glob("*.tf"))
    return re.findall(rf'^{kind} "(\w+)"', text, re.MULTILINE)


def test_the_files_are_formatted(copy):
    copy.do("fmt", "-check", "-recursive", "-diff")


def test_the_environment_is_valid(copy):
    copy.do("validate")


def test_the_account_is_valid(tmp_path):
    WorkingCopy(tmp_path, "account").do("validate")


def test_no_lock_file_is_shipped():
    # It would hold the hashes of one platform, and refuse all others.
    assert not list(MODULES.rglob(".terraform.lock.hcl"))


@pytest.mark.parametrize("folder", ALL, ids=lambda folder: folder.name)
def test_a_readme_names_every_variable_and_output(folder):
    readme = (folder / "README.md").read_text()

    names = [*named("variable", folder), *named("output", folder)]

    assert [name for name in names if f"`{name}`" not in readme] == []


@pytest.mark.parametrize("folder", ALL, ids=lambda folder: folder.name)
def test_every_variable_and_output_says_what_it_is(folder):
    for path in folder.glob("*.tf"):
        for block in re.split(r"\n(?=variable|output)", path.read_text()):
            if re.match(r'(variable|output) "', block):
                assert "  description = " in block, block
            if block.startswith("variable"):
                assert re.search(r"^  type +=", block, re.MULTILINE), block


@pytest.mark.parametrize("folder", ALL, ids=lambda folder: folder.name)
def test_the_provider_may_be_of_two_majors(folder):
    assert 'version = ">= 5.100, < 7"' in (folder / "versions.tf").read_text()


def test_every_file_can_be_read_without_terraform():
    """What is left of these checks where Terraform isn't installed; checkov is the other half."""
    if shutil.which("terraform"):
        pytest.skip("python-hcl2: Terraform is here, and reads the files itself")
    for path in MODULES.rglob("*.tf"):
        assert isinstance(hcl2.loads(path.read_text()), dict), path
