"""The site: its pages lie in three places, and each link still leads where it did."""

from pathlib import Path

import pytest
import yaml

from scripts import site


@pytest.fixture
def small(tmp_path, monkeypatch) -> Path:
    """A repository with a page in each of the three places."""
    for path, text in {
        "CONTRIBUTING.md": "# Contributing\n",
        "CHANGELOG.md": "# Changes\n",
        "docs/index.md": "[jobs](../template/docs/jobs.md#when) [first](../stages/one/README.md)\n",
        "docs/images/climb.svg": "<svg/>",
        "template/docs/jobs.md": "# Jobs\n\n[facts](facts.md)\n",
        "template/docs/facts.md": "# Facts\n",
        "stages/one/README.md": "![it](../../docs/images/climb.svg) [i](../../docs/index.md)\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.setattr(site, "ROOT", tmp_path)
    monkeypatch.setattr(site, "GATHERED", tmp_path / ".site")
    return tmp_path


def test_links_follow_the_pages_that_move(small):
    site.main()

    gathered = small / ".site"
    index = (gathered / "index.md").read_text()
    assert index == "[jobs](reference/jobs.md#when) [first](stages/one.md)\n"
    assert (gathered / "reference/jobs.md").read_text() == "# Jobs\n\n[facts](facts.md)\n"
    assert (gathered / "stages/one.md").read_text() == (
        "![it](../images/climb.svg) [i](../index.md)\n"
    )


def test_what_looks_like_a_link_in_code_stays(small):
    code = "```md\n[not a page](nowhere.md)\n```\n"
    (small / "docs/index.md").write_text(f"{code}\n[jobs](../template/docs/jobs.md)\n")

    site.main()

    index = (small / ".site/index.md").read_text()
    assert index == f"{code}\n[jobs](reference/jobs.md)\n"


@pytest.mark.parametrize(
    ("link", "reason"),
    [("nowhere.md", "does not exist"), ("../copier.yml", "is not in the site")],
)
def test_a_link_that_leads_nowhere_is_refused_by_name(small, link, reason):
    (small / "copier.yml").touch()
    (small / "docs/index.md").write_text(f"[x]({link})\n")

    with pytest.raises(site.BrokenLink, match=rf"docs/index.md links to {link}, which {reason}"):
        site.main()


def test_every_page_is_in_the_menu(repository):
    menu = yaml.safe_load((repository / "mkdocs.yml").read_text("utf-8"))["nav"]
    pages = {place for place in site.all_places().values() if place.endswith(".md")}

    assert set(entries(menu)) == pages


def entries(menu: list | dict | str) -> list[str]:
    if isinstance(menu, str):
        return [menu]
    parts = menu.values() if isinstance(menu, dict) else menu
    return [entry for part in parts for entry in entries(part)]
