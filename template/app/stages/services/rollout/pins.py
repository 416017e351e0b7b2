"""How the gateway knows which tenant gets which release: an empty file for each that is pinned.

    pins/1.5.0/acme     acme gets 1.5.0, until this file is gone

Caddy looks whether there is one at each request (some 10 µs, however many there are), so a wave
begins and ends without a reload, which would cut connections that are kept alive. Only which
releases there are, and which is everybody's, stands in the Caddyfile (decision 0025).
"""

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from uuid import uuid4

from app.stages.services.rollout.store import Pins

SLUG = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
SERVED = re.compile(r"^(\t+)import serve \{\$([A-Z]+)_UPSTREAMS:[^}]*\}$", re.MULTILINE)
SITE = re.compile(r"^\{\$GATEWAY_ADDRESS[^\n]* \{$", re.MULTILINE)
NOBODY = ".nobody"

Upstreams = Callable[[str, str], str]


def upstreams_of(template: str, releases: Mapping[str, Mapping[str, str]]) -> Upstreams:
    """Where a service of a release answers: as it was said of the release, or as all do."""

    def upstreams(service: str, release: str) -> str:
        said = releases.get(release, {}).get(service)
        # A dot ends a name in DNS: 1.5.0 answers at features-1-5-0.
        return said or template.format(service=service, release=release.replace(".", "-"))

    return upstreams


def caddyfile(
    base: str, pins: Pins, folder: Path, socket: Path, upstreams: Upstreams, domain: str = ""
) -> str:
    """The gateway's Caddyfile, with the releases that there are.

    Where nothing was adopted it's the one given, but for the socket that it's reloaded through.
    """
    text = base.replace("\tadmin off\n", f"\tadmin unix/{socket}\n", 1)
    if pins.release is None:
        return text
    others = sorted(set(pins.releases) - {pins.release})

    def serve(found: re.Match[str]) -> str:
        indent, service = found[1], found[2].lower()
        return served(indent, service, pins.release or "", others, upstreams)

    text = SERVED.sub(serve, text)
    if others:
        text = SITE.sub(lambda found: f"{found[0]}\n{matchers(others, folder, domain)}", text, 1)
    return text


def served(indent: str, service: str, release: str, others: list[str], upstreams: Upstreams) -> str:
    """Who answers for a service: one release, or each tenant's own."""
    if not others:
        return f"{indent}import serve {upstreams(service, release)}"
    blocks = [
        f"{indent}handle @release-{one} {{\n{indent}\timport serve {upstreams(service, one)}\n"
        f"{indent}}}"
        for one in others
    ]
    rest = f"{indent}handle {{\n{indent}\timport serve {upstreams(service, release)}\n{indent}}}"
    return "\n".join([*blocks, rest])


def matchers(releases: list[str], folder: Path, domain: str) -> str:
    """The tenant of a request, and whether a release is that tenant's."""
    source, pattern = "{path.0}/{path.1}", "^t/([a-z0-9-]+)$"
    if domain:
        source, pattern = "{host}", rf"^([a-z0-9-]+)\.{re.escape(domain)}$"
    tenant = f"\tmap {source} {{tenant}} {{\n\t\t~{pattern} ${{1}}\n\t\tdefault {NOBODY}\n\t}}"
    found = [
        f"\t@release-{one} file {{\n\t\troot {folder / one}\n\t\ttry_files /{{tenant}}\n\t}}"
        for one in releases
    ]
    return "\n".join([tenant, *found])


def write(folder: Path, pins: Pins) -> None:
    """Make the files as the pins are. What is right already isn't touched."""
    wanted: dict[str, set[str]] = {release: set() for release in pins.releases}
    for slug, release in pins.tenants.items():
        if SLUG.fullmatch(slug) and release in wanted:
            wanted[release].add(slug)
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.iterdir():
        if leftover.name not in wanted or not wanted[leftover.name]:
            remove(leftover)
    for release, slugs in wanted.items():
        write_release(folder / release, slugs)


def write_release(folder: Path, slugs: set[str]) -> None:
    folder.mkdir(exist_ok=True)
    here = {file.name for file in folder.iterdir()}
    for gone in here - slugs:
        (folder / gone).unlink(missing_ok=True)
    for new in slugs - here:
        (folder / new).touch()


def remove(folder: Path) -> None:
    """All of a release at once: renamed first, so that no tenant comes back later than others."""
    away = folder.with_name(f".{uuid4().hex}")
    folder.rename(away)
    shutil.rmtree(away, ignore_errors=True)
