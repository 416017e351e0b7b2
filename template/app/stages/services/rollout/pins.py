"""How the gateway knows which tenant gets which release: by files that it looks for.

    slots/a/release, slots/a/auth, ...   a release, and where each of its services answers
    slots/default                        a link: the slot of the release that everybody has
    pins/a/acme                          empty: acme gets the release in slot a

Caddy looks at each request whether a file is there, however many there are. So it's never told of
anything: a wave, a new release and a way back cost no reload, which would cut connections. The
Caddyfile names the slots, and is written once (decision 0025).
"""

import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from app.stages.services.rollout.errors import Refused
from app.stages.services.rollout.store import Pins
from app.stages.services.settings import SERVICES

SLOTS = ("a", "b", "c")
SLUG = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
SERVED = re.compile(r"^(\t+)import serve \{\$([A-Z]+)_UPSTREAMS:[^}]*\}$", re.MULTILINE)
SITE = re.compile(r"^\{\$GATEWAY_ADDRESS[^\n]* \{$", re.MULTILINE)
SNIPPET = r"^\({name}\) \{{\n.*?^\}}\n"
NOBODY = ".nobody"

Upstreams = Callable[[str, str], str]


def upstreams_of(template: str, releases: Mapping[str, Mapping[str, str]]) -> Upstreams:
    """Where a service of a release answers: as it was said of the release, or as all do."""

    def upstreams(service: str, release: str) -> str:
        said = releases.get(release, {}).get(service)
        # A dot ends a name in DNS: 1.5.0 answers at features-1-5-0.
        return said or template.format(service=service, release=release.replace(".", "-"))

    return upstreams


def caddyfile(base: str, folder: Path, domain: str = "") -> str:
    """The gateway's Caddyfile with a way to each slot; where no release is known, as it was.

    Raises `Refused` if the Caddyfile isn't one that `flask gateway config` made.
    """
    if not SERVED.search(base) or not SITE.search(base):
        raise Refused(
            "This Caddyfile has no `import serve {$..._UPSTREAMS:...}` in a site at "
            "{$GATEWAY_ADDRESS...}: make it anew with `flask gateway config`."
        )
    text = SERVED.sub(lambda found: ways(found, folder), base)
    site = matchers(folder, domain)
    text = SITE.sub(lambda found: f"{found[0]}\n{site}", text, 1)
    return SITE.sub(lambda found: f"{snippets(base)}\n{found[0]}", text, 1)


def snippets(base: str) -> str:
    """`serve` for an address that is found out at each request: nobody can look whether it's well
    beforehand, so what does that is left out."""
    found = []
    for name in ("serve", "manners"):
        block = re.search(SNIPPET.format(name=name), base, re.MULTILINE | re.DOTALL)
        text = block[0] if block else f"({name}) {{\n}}\n"
        lines = [line for line in text.splitlines() if not line.startswith("\thealth_")]
        found.append("\n".join(lines).replace(f"({name})", f"({name}-slot)"))
    return "\n\n".join(found).replace("import manners", "import manners-slot") + "\n"


def ways(found: re.Match[str], folder: Path) -> str:
    """How a request gets to a service: of the tenant's release, else of everybody's."""
    indent, service = found[1], found[2].lower()
    blocks = [
        f"{indent}handle @{name} {{\n"
        f"{indent}\tvars upstream {{file.{folder}/slots/{slot}/{service}}}\n"
        f"{indent}\timport serve-slot {{vars.upstream}}\n"
        f"{indent}}}"
        for name, slot in [*((f"slot-{slot}", slot) for slot in SLOTS), ("adopted", "default")]
    ]
    return "\n".join([*blocks, f"{indent}handle {{\n\t{found[0]}\n{indent}}}"])


def matchers(folder: Path, domain: str) -> str:
    """The tenant of a request, and whether a slot is that tenant's."""
    source, pattern = "{path.0}/{path.1}", "^t/([a-z0-9-]+)$"
    if domain:
        source, pattern = "{host}", rf"^([a-z0-9-]+)\.{re.escape(domain)}$"
    tenant = f"\tmap {source} {{tenant}} {{\n\t\t~{pattern} ${{1}}\n\t\tdefault {NOBODY}\n\t}}"
    return "\n".join(
        [
            tenant,
            *(look(f"slot-{one}", folder / "pins" / one, "{tenant}") for one in SLOTS),
            look("adopted", folder / "slots", "default/release"),
        ]
    )


def look(name: str, folder: Path, file: str) -> str:
    return f"\t@{name} file {{\n\t\troot {folder}\n\t\ttry_files /{file}\n\t}}"


class TooManyReleases(Exception):
    """There are more releases than slots."""


@dataclass(frozen=True, slots=True)
class Files:
    """What Caddy looks at, in one folder."""

    folder: Path

    @property
    def slots(self) -> Path:
        return self.folder / "slots"

    @property
    def pins(self) -> Path:
        return self.folder / "pins"

    def write(self, pins: Pins, upstreams: Upstreams) -> None:
        """Make the files as the pins are; each step leads nobody where nothing is.

        Raises `TooManyReleases`.
        """
        self.slots.mkdir(parents=True, exist_ok=True)
        self.pins.mkdir(exist_ok=True)
        placed = self.place(pins, upstreams)
        if pins.release in placed:
            self.make_default(placed[pins.release])
        self.pin(pins, placed)

    def release_in(self, slot: str) -> str:
        file = self.slots / slot / "release"
        return file.read_text("utf-8") if file.exists() else ""

    def place(self, pins: Pins, upstreams: Upstreams) -> dict[str, str]:
        """The slot of each release. One that is there keeps its own."""
        placed = {
            release: slot for slot in SLOTS if (release := self.release_in(slot)) in pins.releases
        }
        for release in sorted(set(pins.releases) - set(placed)):
            placed[release] = self.free_slot(set(placed.values()))
        for release, slot in placed.items():
            self.fill(slot, release, upstreams)
        return placed

    def free_slot(self, taken: set[str]) -> str:
        """A slot that nobody is led to."""
        link = self.slots / "default"
        everybodys = link.readlink().name if link.is_symlink() else ""
        free = [slot for slot in SLOTS if slot not in taken and slot != everybodys]
        if not free:
            raise TooManyReleases(f"more than {len(SLOTS)} releases can't stand side by side")
        remove(self.pins / free[0])
        return free[0]

    def fill(self, slot: str, release: str, upstreams: Upstreams) -> None:
        folder = self.slots / slot
        folder.mkdir(exist_ok=True)
        for service in SERVICES:
            put(folder / service, upstreams(service, release))
        put(folder / "release", release)

    def make_default(self, slot: str) -> None:
        draft = self.slots / ".default"
        draft.unlink(missing_ok=True)
        draft.symlink_to(slot)
        os.replace(draft, self.slots / "default")

    def pin(self, pins: Pins, placed: Mapping[str, str]) -> None:
        wanted: dict[str, set[str]] = {slot: set() for slot in SLOTS}
        for slug, release in pins.tenants.items():
            if SLUG.fullmatch(slug) and release in placed:
                wanted[placed[release]].add(slug)
        for slot, slugs in wanted.items():
            pin_exactly(self.pins / slot, slugs)


def put(file: Path, text: str) -> None:
    """Write a file that is read at any moment."""
    if file.exists() and file.read_text("utf-8") == text:
        return
    draft = file.with_name(f".{file.name}")
    draft.write_text(text, "utf-8")
    draft.replace(file)


def pin_exactly(folder: Path, slugs: set[str]) -> None:
    """Have a file for each of these and no other. What is right already isn't touched."""
    if not slugs:
        remove(folder)
        return
    folder.mkdir(exist_ok=True)
    here = {file.name for file in folder.iterdir()}
    for gone in here - slugs:
        (folder / gone).unlink(missing_ok=True)
    for new in slugs - here:
        (folder / new).touch()


def remove(folder: Path) -> None:
    """All pins of a slot at once: renamed first, so that no tenant comes back later than others."""
    if folder.exists():
        away = folder.with_name(f".{uuid4().hex}")
        folder.rename(away)
        shutil.rmtree(away, ignore_errors=True)
