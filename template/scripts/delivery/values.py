"""Which releases stand beside each other, as values of the chart.

The chart knows `releases`, and three pointers into them: `defaultRelease` (who answers a tenant
that isn't pinned), `workersRelease` and `migrationsRelease`. JSON is YAML, so Helm reads it.
"""

import re
from typing import Any

from scripts.delivery import Refused
from scripts.delivery.release import checked

POINTERS = ("defaultRelease", "workersRelease")
# By its content: a tag could be moved between the scan and the cluster.
IMAGE = re.compile(r"[a-z0-9][a-z0-9./_:-]*@sha256:[0-9a-f]{64}")

# The one that answers, the one before it or a bad one, and the one that comes.
SIDE_BY_SIDE = 3

Values = dict[str, Any]


def releases_of(current: Values | None) -> Values:
    """What `helm get values` says of the releases; nothing before the first."""
    current = current or {}
    return {
        "releases": dict(current.get("releases") or {}),
        **{pointer: current[pointer] for pointer in POINTERS if current.get(pointer)},
    }


def add(current: Values | None, release: str, image: str) -> Values:
    """The release beside those that are there. It gets no tenant by that; the first gets all."""
    values = releases_of(current)
    if not IMAGE.fullmatch(image):
        raise Refused(f"{image!r} must name the image by its digest: registry/name@sha256:...")
    known = values["releases"].get(checked(release), {}).get("image")
    if known not in (None, image):
        raise Refused(f"{release} is {known} already. A release never changes; build another.")
    values["releases"].setdefault(release, {"image": image})
    for pointer in POINTERS:
        values[pointer] = values.get(pointer) or only_other(values, release) or release
    refuse_too_many(values, release)
    return values | {"migrationsRelease": release}


def refuse_too_many(values: Values, new: str) -> None:
    kept = {new, *(values[pointer] for pointer in POINTERS)}
    others = sorted(set(values["releases"]) - kept)
    if len(values["releases"]) > SIDE_BY_SIDE:
        raise Refused(
            f"More than {SIDE_BY_SIDE} releases can't stand side by side. See `flask rollout "
            f"status` for one that no tenant has, and drop it: {', '.join(others)}."
        )


def only_other(values: Values, release: str) -> str | None:
    """The release that is meant where one is there and no pointer says so."""
    others = [name for name in values["releases"] if name != release]
    if len(others) > 1:
        raise Refused(f"Of {', '.join(sorted(others))} none is the default. Which one answers?")
    return others[0] if others else None


def finish(current: Values | None, release: str) -> Values:
    """The release for everybody. The one before stays: to go back to it takes seconds."""
    values = releases_of(current)
    refuse_unknown(values, release)
    before = values.get("defaultRelease")
    kept = set(values["releases"]) if before == release else {release, before}
    return {
        "releases": {name: what for name, what in values["releases"].items() if name in kept},
        "defaultRelease": release,
        "workersRelease": release,
        "migrationsRelease": release,
    }


def drop(current: Values | None, release: str) -> Values:
    """Without that release, which no tenant is on any more."""
    values = releases_of(current)
    refuse_unknown(values, release)
    for pointer in POINTERS:
        if values.get(pointer) == release:
            raise Refused(f"{release} is the {pointer}: roll back or finish another one first.")
    del values["releases"][release]
    return values | {"migrationsRelease": values["defaultRelease"]}


def refuse_unknown(values: Values, release: str) -> None:
    if release not in values["releases"]:
        known = ", ".join(sorted(values["releases"])) or "none"
        raise Refused(f"{release!r} isn't deployed here. Deployed are: {known}.")
