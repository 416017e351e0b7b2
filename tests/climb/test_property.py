"""Edits at random lines of the template's files, against what a true three-way merge makes."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.world import Project, Release

# Each example is an update of a whole project, so there are few, with edits in many files each.
FEW = settings(
    max_examples=3,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SUFFIXES = (".py", ".md", ".toml", ".yaml", ".yml", ".html", ".css")
DEEDS = ("put", "change", "delete", "twice")
Edits = list[tuple[float, str]]
some_edits = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.sampled_from(DEEDS)), min_size=1, max_size=3
)


def edit(text: str, edits: Edits, by: str) -> str:
    """The text with those edits; a place is a fraction of its lines."""
    lines = text.splitlines(keepends=True)
    for number, (place, deed) in enumerate(edits):
        at = int(place * len(lines))
        ours = f"# {number} by {by}\n"
        if deed == "put" or not lines:
            lines.insert(at, ours)
        elif deed == "change":
            lines[at] = ours
        elif deed == "delete":
            del lines[at]
        else:  # A line that is there already, once more: look-alikes are what a patch falls for.
            lines.insert(at, lines[at])
    return "".join(lines)


def merged(folder: Path, base: str, ours: str, theirs: str) -> tuple[str, bool]:
    """What git's three-way merge makes of them, and whether it's a conflict."""
    for name, text in {"base": base, "ours": ours, "theirs": theirs}.items():
        (folder / name).write_text(text, "utf-8")
    names = ("before updating", "last update", "after updating")
    labels = [word for name in names for word in ("-L", name)]
    command = ["git", "merge-file", "--stdout", *labels, "ours", "base", "theirs"]
    done = subprocess.run(command, cwd=folder, capture_output=True)
    return done.stdout.decode(), done.returncode != 0


@pytest.fixture(scope="module")
def published(release: Release, tmp_path_factory) -> tuple[Release, list[str]]:
    """A template to change, and those of its files that both sides will edit."""
    template = release.copy(tmp_path_factory.mktemp("property") / "template")
    names = [
        file.relative_to("template").as_posix()
        for file in template.tracked("template")
        if file.suffix in SUFFIXES
        and "features" not in file.parts
        and "stages" not in file.parts
        and not (template.root / f"{file}.jinja").exists()
        and (template.root / file).read_text("utf-8").count("\n") > 3
    ]
    # What a later stage brings isn't in the project that is updated.
    here = template.generate(template.root.parent / "here")
    return template, [name for name in names if (here.root / name).exists()]


@pytest.fixture(scope="module")
def made(published) -> Project:
    return published[0].generate(published[0].root.parent / "made")


@FEW
@given(st.data())
def test_a_newer_version_merges_as_git_does(published, made, tmp_path_factory, data):
    template, names = published
    folder = tmp_path_factory.mktemp("example")
    newer = template.copy(folder / "template")
    project = made.copy(folder / "project")
    project.replace(".copier-answers.yml", str(template.root), str(newer.root))
    expected = {}
    for name in data.draw(st.lists(st.sampled_from(names), min_size=25, max_size=40, unique=True)):
        base = project.read(name)
        ours = edit(base, data.draw(some_edits), "the team")
        theirs = edit(base, data.draw(some_edits), "the template")
        project.write(name, ours)
        newer.write(f"template/{name}", theirs)
        expected[name] = merged(folder, base, ours, theirs)
    project.commit()
    newer.publish("v9999.9.0")

    project.update_to("v9999.9.0")

    assert {name: project.read(name) for name in expected} == {
        name: text for name, (text, _) in expected.items()
    }
    conflicts = {line.split("\t", 1)[1] for line in project.unmerged.splitlines()}
    assert conflicts == {name for name, (_, undecided) in expected.items() if undecided}


@FEW
@given(st.data())
def test_a_climb_merges_its_wiring_as_git_does(release, prototype, tmp_path_factory, data):
    """What a stage changes in files that are there: edits anywhere in them, the rest at random."""
    folder = tmp_path_factory.mktemp("example")
    project = prototype.copy(folder / "project")
    after = release.generate(folder / "after", stage="spire")
    untouched = {".copier-answers.yml", "scripts/stage/stages.json"}
    wiring = [
        name
        for name, content in after.files.items()
        if name in prototype.files and prototype.files[name] != content and name not in untouched
    ]
    assert {"pyproject.toml", "wiring.toml"} <= set(wiring)
    others = [name for name in prototype.files if name.endswith(SUFFIXES) and name not in wiring]
    expected = {}
    for name in [*wiring, *data.draw(st.lists(st.sampled_from(others), max_size=10, unique=True))]:
        if name in untouched:
            continue
        base = project.read(name)
        ours = edit(base, data.draw(some_edits), "the team")
        project.write(name, ours)
        expected[name] = merged(folder, base, ours, after.read(name))
    project.commit()

    project.update(stage="spire")

    assert {name: project.read(name) for name in expected} == {
        name: text for name, (text, _) in expected.items()
    }
    conflicts = {line.split("\t", 1)[1] for line in project.unmerged.splitlines()}
    assert conflicts == {name for name, (_, undecided) in expected.items() if undecided}
