"""Compares the project with a fresh render: what is missing, what differs, what is yours."""

import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from scripts.stage import changes, engine
from scripts.stage.changes import by_folder
from scripts.stage.project import (
    ANSWERS,
    PROJECT,
    Answers,
    NoClimb,
    all_stages,
    git,
    is_below,
    memory,
)

REQUIREMENT = re.compile(r"^[A-Za-z0-9._-]+")
MARKERS = (b"<<<<<<< before updating", b">>>>>>> after updating")


@dataclass
class Findings:
    """What the comparison brought to light."""

    undecided: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    wiring: list[str] = field(default_factory=list)
    differ: list[str] = field(default_factory=list)
    yours: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def are_well(self) -> bool:
        return not (self.undecided or self.missing or self.wiring)

    def lines(self) -> list[str]:
        groups = {
            "Conflict not decided": self.undecided,
            "Missing (if you meant to delete it, all is well; else: flask stage doctor "
            "--bring-back PATH)": by_folder(self.missing),
            "Wiring of this stage that is missing": self.wiring,
            "Differs from the template: merged in each climb": by_folder(self.differ),
            "Yours by design: no climb touches it": self.yours,
        }
        shown = [*self.notes]
        for title, found in groups.items():
            if found:
                shown += ["", f"{title}:", *(f"  {line}" for line in found)]
        verdict = (
            "Every file and all wiring of this stage are in place."
            if self.are_well
            else "Something of this stage is not in place."
        )
        return [*shown, "", verdict]


def examine() -> Findings:
    """Compare this project with what the template gives for its answers."""
    answers = Answers.of()
    findings = Findings()
    findings.undecided = undecided()
    if answers.stage != answers.reached:
        findings.wiring.append(
            f"{ANSWERS} says stage {answers.stage}, reached {answers.reached}: it was edited by "
            "hand. Set both to the stage whose files are here, commit, then: flask stage climb"
        )
    findings.yours = yours(answers)
    try:
        with fresh_render() as fresh:
            compare(fresh, findings)
    except NoClimb as refusal:
        findings.notes = [f"Compared without a fresh render, so only by name. {refusal}"]
        findings.missing = missing_by_name(answers)
    return findings


@contextmanager
def fresh_render() -> Iterator[Path]:
    """What the template gives for this project's answers. Raises `NoClimb`."""
    with TemporaryDirectory(dir=memory(), ignore_cleanup_errors=True) as folder:
        yield engine.render(PROJECT, Path(folder) / "fresh")


def compare(fresh: Path, findings: Findings) -> None:
    for file in sorted(path for path in fresh.rglob("*") if path.is_file()):
        path = file.relative_to(fresh).as_posix()
        here = PROJECT / path
        if path == ANSWERS:
            continue
        if not here.exists():
            findings.missing.append(path)
        elif not here.is_file() or here.read_bytes() != file.read_bytes():
            findings.differ.append(path)
    findings.wiring += missing_wiring(fresh / "pyproject.toml", PROJECT / "pyproject.toml")


def missing_wiring(fresh: Path, here: Path) -> list[str]:
    """What the stage needs to be installed, and this project doesn't name."""
    if not here.exists():
        return []
    try:
        wanted, found = (tomllib.loads(file.read_text("utf-8")) for file in (fresh, here))
    except tomllib.TOMLDecodeError as error:
        return [f"pyproject.toml can't be read: {error}"]
    return missing_requirements(wanted, found) + missing_groups(wanted, found)


def missing_requirements(wanted: dict[str, Any], found: dict[str, Any]) -> list[str]:
    groups = found.get("dependency-groups", {})
    own = names_in(found.get("project", {}).get("dependencies", []))
    return [
        f"pyproject.toml: the group {group} lacks {name}"
        for group, requirements in wanted["dependency-groups"].items()
        for name in sorted(names_in(requirements) - names_in(groups.get(group, [])) - own)
    ]


def missing_groups(wanted: dict[str, Any], found: dict[str, Any]) -> list[str]:
    def installed(project: dict[str, Any]) -> list[str]:
        groups = project.get("tool", {}).get("uv", {}).get("default-groups", [])
        return list(groups)

    lacking = set(installed(wanted)) - set(installed(found))
    return [f"pyproject.toml: default-groups lacks {group}" for group in sorted(lacking)]


def names_in(requirements: list[Any]) -> set[str]:
    found = (REQUIREMENT.match(line) for line in requirements if isinstance(line, str))
    return {match[0].lower().replace("_", "-") for match in found if match}


def undecided() -> list[str]:
    """Files that git calls unmerged, and those that still hold its markers."""
    try:
        listed = set(changes.unmerged(PROJECT))
        tracked = git(PROJECT, "ls-files", "--cached", "-z").split("\0")
    except NoClimb:
        return []  # Without git there was no merge.
    marked = {path for path in tracked if path and has_markers(PROJECT / path)}
    return sorted(listed | marked)


def has_markers(file: Path) -> bool:
    return file.is_file() and any(line.startswith(MARKERS) for line in file.open("rb"))


def reached_stages(answers: Answers) -> list[Any]:
    at = next((stage.order for stage in all_stages() if stage.name == answers.stage), 0)
    return [stage for stage in all_stages() if stage.order <= at]


def yours(answers: Answers) -> list[str]:
    """What came with a stage that was reached, and is the team's since."""
    handed = [path.lstrip("/") for stage in reached_stages(answers) for path in stage.once]
    return [path if (PROJECT / path).exists() else f"{path} (deleted)" for path in handed]


def missing_by_name(answers: Answers) -> list[str]:
    paths = [path.lstrip("/") for stage in reached_stages(answers) for path in stage.brings]
    return [path for path in paths if not (PROJECT / path).exists()]


def bring_back(path: str) -> str:
    """Write a file, or the missing ones of a folder, as a fresh render has them."""
    with fresh_render() as fresh:
        wanted = path.strip("/")
        files = [file for file in fresh.rglob("*") if file.is_file()]
        names = [file.relative_to(fresh).as_posix() for file in files]
        chosen = [name for name in names if is_below(name, (f"/{wanted}",))]
        if not chosen:
            raise NoClimb(f"The template has no {wanted} at this stage.")
        lacking = [name for name in chosen if not (PROJECT / name).exists()]
        if not lacking:
            raise NoClimb(f"{wanted} is here already, and what is yours is not overwritten.")
        for name in lacking:
            target = PROJECT / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((fresh / name).read_bytes())
    return f"Brought back: {', '.join(lacking)}"
