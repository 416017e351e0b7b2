"""The workflows in the eyes of the tools that know GitHub."""

from tests.tools import PROJECT, pinned, succeed

WORKFLOWS = sorted((PROJECT / ".github/workflows").glob("*.yml"))


def test_actionlint_finds_nothing():
    succeed(*pinned("actionlint", "shellcheck"), *WORKFLOWS)


def test_zizmor_finds_nothing():
    succeed(*pinned("zizmor"), "--offline", "--quiet", ".github")
