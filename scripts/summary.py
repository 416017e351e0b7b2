"""The table at the end of a run: what ran, what was skipped and why."""

import atexit
import functools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.etree import ElementTree

import nox


@dataclass
class Line:
    """One session: how it ended, how long it took, and what is worth knowing about it."""

    name: str
    outcome: str = "failed"
    seconds: float = 0.0
    remarks: list[str] = field(default_factory=list)


LINES: list[Line] = []


def check(**options: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A nox session whose outcome is listed in the table."""

    def declare(work: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(work)
        def listed(session: nox.Session, *args: Any, **kwargs: Any) -> None:
            with listing(session.name):
                work(session, *args, **kwargs)

        return nox.session(**options)(listed)

    return declare


@contextmanager
def listing(name: str) -> Iterator[None]:
    line = Line(name)
    LINES.append(line)
    began = time.monotonic()
    try:
        yield
        line.outcome = "passed"
    except KeyboardInterrupt:
        line.outcome = "stopped"
        raise
    finally:
        line.seconds = time.monotonic() - began


def remark(text: str) -> None:
    """Add a remark to the session that is running."""
    LINES[-1].remarks.append(text)


def skip(session: nox.Session, why: str) -> None:
    """End the session without a verdict; the table says why."""
    with_reason = LINES[-1]
    with_reason.remarks.append(why)
    try:
        session.skip(why)
    finally:
        with_reason.outcome = "skipped"


@contextmanager
def counted_tests() -> Iterator[dict[str, str]]:
    """Settings that make pytest count; what each run of it counted becomes a remark.

    A session of ours may run several sessions of a project's: pytest names its report after
    the innermost one.
    """
    with TemporaryDirectory() as folder:
        try:
            given = os.environ.get("PYTEST_ADDOPTS", "")
            report = f"--junit-xml={folder}/$NOX_CURRENT_SESSION.xml"
            yield {"PYTEST_ADDOPTS": f"{report} {given}".strip()}
        finally:
            for report in sorted(Path(folder).iterdir(), key=lambda path: path.stat().st_mtime):
                name = "" if report.stem == LINES[-1].name else f"{report.stem}: "
                remark(name + count(ElementTree.parse(report).getroot()))  # noqa: S314  # Ours.


def count(report: ElementTree.Element) -> str:
    """'41 passed, 1 skipped (no browser)' from pytest's own report."""
    suites = list(report.iter("testsuite"))
    total, failed, errors, skipped = (
        sum(int(suite.get(what, 0)) for suite in suites)
        for what in ("tests", "failures", "errors", "skipped")
    )
    parts = [f"{total - failed - errors - skipped} passed"]
    parts += [f"{failed + errors} failed"] if failed + errors else []
    parts += [f"{skipped} skipped ({why_skipped(report)})"] if skipped else []
    return ", ".join(parts)


def why_skipped(report: ElementTree.Element) -> str:
    reasons = {skipped.get("message", "no reason given") for skipped in report.iter("skipped")}
    return "; ".join(sorted(reasons))


def show() -> None:
    if LINES:
        print("\n" + "\n".join(table(LINES)), flush=True)


def table(lines: list[Line]) -> list[str]:
    width = max(len(line.name) for line in lines)
    return [
        f"{line.name:{width}}  {line.outcome:7}  {line.seconds:6.1f} s  {'; '.join(line.remarks)}"
        for line in lines
    ]


atexit.register(show)
