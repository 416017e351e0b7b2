"""The stages are data; these are the rules which that data keeps."""

from pathlib import Path, PurePosixPath

import pytest
import yaml

REPOSITORY = Path(__file__).parents[1]
MANIFESTS = sorted(REPOSITORY.glob("stages/*/stage.yml"))
STAGES = {path.parent.name: yaml.safe_load(path.read_text("utf-8")) for path in MANIFESTS}


def brought_by(stage: dict) -> list[str]:
    return [path for paths in stage["capabilities"].values() for path in paths]


PATHS = [
    (name, path)
    for name, stage in STAGES.items()
    for path in [*brought_by(stage), *stage.get("once", [])]
]


def test_there_is_a_first_stage():
    assert "prototype" in STAGES


@pytest.mark.parametrize("name", STAGES)
def test_a_manifest_says_what_the_stage_is(name):
    stage = STAGES[name]

    assert stage["name"] == name
    assert stage["title"]
    assert stage["summary"]
    assert stage["capabilities"]
    assert set(stage) <= {"name", "order", "title", "summary", "capabilities", "once", "costs"}


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_comes_with_its_lesson_and_its_next_steps(name):
    assert (REPOSITORY / "stages" / name / "README.md").read_text("utf-8").startswith("# ")
    assert (REPOSITORY / "stages" / name / "after.md").exists()


def test_the_stages_have_an_order_without_gaps():
    orders = sorted(stage["order"] for stage in STAGES.values())

    assert orders == list(range(1, len(STAGES) + 1))


@pytest.mark.parametrize(("stage", "path"), PATHS)
def test_a_path_leads_from_the_root_to_something_there(stage, path):
    assert path.startswith("/"), "without it, the name would match at any depth"
    assert not path.endswith("/"), "with it, an empty folder would stay behind"
    assert exists(path), f"stages/{stage}/stage.yml names {path}, which template/ does not have"


def exists(path: str) -> bool:
    lying = REPOSITORY / "template" / path.lstrip("/")
    return lying.exists() or lying.with_name(lying.name + ".jinja").exists()


def test_no_path_is_brought_twice():
    brought = [path for stage in STAGES.values() for path in brought_by(stage)]

    assert len(brought) == len(set(brought))


@pytest.mark.parametrize(("stage", "path"), PATHS)
def test_no_path_lies_in_a_folder_of_a_later_stage(stage, path):
    """It would be held back until then."""
    later = {
        path
        for other in STAGES.values()
        if other["order"] > STAGES[stage]["order"]
        for path in brought_by(other)
    }

    assert not later & {str(parent) for parent in PurePosixPath(path).parents}
