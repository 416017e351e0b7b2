"""Two invented stages on top of the real ones: the machinery is older than its next stage."""

from pathlib import Path

import yaml

from tests.world import Release

STAGES = Path(__file__).resolve().parents[2] / "stages"
_ORDERS = {
    path.parent.name: yaml.safe_load(path.read_text("utf-8"))["order"]
    for path in STAGES.glob("*/stage.yml")
}
REAL = sorted(_ORDERS, key=_ORDERS.__getitem__)
TOWER = {
    "name": "tower",
    "title": "Tower",
    "summary": "a lookout and a bell",
    "capabilities": {
        "lookout": ["/app/lookout", "/tests/lookout"],
        "bell": ["/app/bell.py"],
    },
    "once": ["/app/features/watch"],
}
SPIRE = {
    "name": "spire",
    "title": "Spire",
    "summary": "a weathercock",
    "capabilities": {"weathercock": ["/app/weathercock.py"]},
}
FILES = {
    "app/lookout/__init__.py": '"""Looks out."""\n',
    "tests/lookout/__init__.py": "",
    "tests/lookout/test_lookout.py": "def test_it_looks_out():\n    pass\n",
    "app/bell.py": '"""Rings."""\n',
    "app/features/watch/__init__.py": '"""A sample that the tower brings."""\n',
    "app/weathercock.py": '"""Turns."""\n',
    "wiring.toml.jinja": (
        "title = 'theirs'\n"
        "first = true\n"
        "{%- if has.lookout %}\n"
        "lookout = true\n"
        "{%- endif %}\n"
        "between = true\n"
        "{%- if has.weathercock %}\n"
        "weathercock = true\n"
        "{%- endif %}\n"
        "last = true\n"
    ),
}


def add_invented_stages(release: Release) -> None:
    """Write them into a release that nobody has published yet, and publish it."""
    for order, stage in enumerate([TOWER, SPIRE], start=len(REAL) + 1):
        write(
            release.root / "stages" / stage["name"] / "stage.yml",
            yaml.dump(stage | {"order": order}),
        )
        write(release.root / "stages" / stage["name"] / "after.md", f"Climb the {stage['name']}.\n")
    for path, content in FILES.items():
        write(release.root / "template" / path, content)
    release.publish("v9999.1.0")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
