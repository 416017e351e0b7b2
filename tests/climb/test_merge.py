"""Edits of both sides in one file, where a patch would go astray."""

import pytest

from tests.world import Release

STEPS = ["check", "load", "lock", "count", "save", "close", "send", "forget"]


def handler(name: str, *, told: bool = False) -> str:
    """One of many that look alike; the team adds a line to the middle of one."""
    lines = [f"    {step}(event)\n" for step in STEPS]
    if told:
        lines.insert(4, "    tell_somebody(event)\n")
    return f"def on_{name}(event):\n" + "".join(lines) + "\n\n"


def handlers(*names: str, told: str = "") -> str:
    return "".join(handler(name, told=name == told) for name in names)


@pytest.mark.parametrize("edited", ["paid", "failed", "refunded"])
def test_an_edit_among_look_alikes_stays_in_its_own_place(release: Release, tmp_path, edited):
    """With copier's default context it lands in the block above, and nobody is told."""
    template = release.copy(tmp_path / "template")
    template.write("template/handlers.py", handlers("paid", "failed", "refunded"))
    template.publish("v9999.2.0")
    project = template.generate(tmp_path / "made").copy(tmp_path / "team")
    project.write("handlers.py", handlers("paid", "failed", "refunded", told=edited))
    project.commit()
    template.write("template/handlers.py", handlers("new", "paid", "failed", "refunded"))
    template.publish("v9999.3.0")

    project.update_to("v9999.3.0")

    assert project.read("handlers.py") == handlers("new", "paid", "failed", "refunded", told=edited)
    assert project.unmerged == ""
