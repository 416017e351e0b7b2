"""Gathers the pages of the site into `.site/`, each link pointing to where the page will be.

Pages lie where they are of use without a site: a project's own documentation in `template/docs/`,
a stage's lesson beside its manifest, the rest in `docs/`. They link to each other by the paths of
this repository, so every link works in an editor, too.
"""

import os
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GATHERED = ROOT / ".site"
LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]*)?(?=\))")
TO_A_TEST = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+tests/[^)#\s]+)\)")
FENCE = re.compile(r"^ *(```|~~~)", re.MULTILINE)


class BrokenLink(SystemExit):
    """A page links to something that isn't there."""


def main() -> None:
    shutil.rmtree(GATHERED, ignore_errors=True)
    places = all_places()
    for source, place in places.items():
        target = GATHERED / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".md":
            target.write_text(moved(source, places), "utf-8")
        else:
            shutil.copy2(source, target)
    pages = sum(source.suffix == ".md" for source in places)
    print(f"{pages} pages gathered in {GATHERED.name}/")


def all_places() -> dict[Path, str]:
    """Each file that belongs to the site, and its place there."""
    places = {
        ROOT / "CONTRIBUTING.md": "contributing.md",
        ROOT / "CHANGELOG.md": "changes.md",
    }
    places |= below(ROOT / "docs", "")
    places |= below(ROOT / "template/docs", "reference/")
    for lesson in ROOT.glob("stages/*/README.md"):
        places[lesson] = f"stages/{lesson.parent.name}.md"
    return places


def below(folder: Path, prefix: str) -> dict[Path, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path: prefix + path.relative_to(folder).as_posix() for path in files}


def moved(page: Path, places: dict[Path, str]) -> str:
    """The page's text with its links as they must be in the site."""
    parts = outside_of_code(page.read_text("utf-8"))
    return "".join(
        part
        if is_code
        else LINK.sub(
            lambda link: follow(link, page, places),
            TO_A_TEST.sub(lambda link: named(link, page), part),
        )
        for part, is_code in parts
    )


def named(link: re.Match[str], page: Path) -> str:
    """The words of a link to a test: the site has no tests, an editor has."""
    if not (page.parent / link[2]).exists():
        raise BrokenLink(f"{page.relative_to(ROOT)} links to {link[2]}, which does not exist.")
    return link[1]


def follow(link: re.Match[str], page: Path, places: dict[Path, str]) -> str:
    """Where a link of this page leads, seen from the page's place in the site."""
    target = (page.parent / link[1]).resolve()
    if target not in places:
        known = "is not in the site" if target.exists() else "does not exist"
        raise BrokenLink(f"{page.relative_to(ROOT)} links to {link[1]}, which {known}.")
    here = os.path.dirname(places[page]) or "."
    return os.path.relpath(places[target], here).replace(os.sep, "/") + (link[2] or "")


def outside_of_code(text: str) -> list[tuple[str, bool]]:
    """The text in parts, each with whether it is inside a code block."""
    parts, code, fences = [], False, [match.start() for match in FENCE.finditer(text)]
    for start, end in zip([0, *fences], [*fences, len(text)], strict=True):
        parts.append((text[start:end], code))
        code = not code
    return parts


if __name__ == "__main__":
    sys.exit(main())
