"""House rules for every template in the application, the team's included."""

import re
from pathlib import Path

import pytest

import app

# Letters are not pages: mail readers know no stylesheet, and our policy doesn't reach them.
TEMPLATES = sorted(
    path
    for path in Path(app.__file__).parent.glob("**/templates/**/*.html")
    if path.parent.name != "mail"
)
FORM = re.compile(r"<form\b[^>]*method=.post.*?</form>", re.DOTALL | re.IGNORECASE)
INLINE = re.compile(r"<style\b|\sstyle=|<script(?![^>]*\bsrc=)|\son[a-z]+=", re.IGNORECASE)
ICON = re.compile(r"""icon(?:\(|=)\s*["']([a-z-]+)["']""")


@pytest.fixture(params=TEMPLATES, ids=lambda path: str(path.relative_to(path.parents[3])))
def template(request: pytest.FixtureRequest) -> str:
    return request.param.read_text("utf-8")


def test_nothing_is_inline_that_the_policy_would_block(template):
    assert not INLINE.search(template)


def test_every_form_that_posts_carries_a_token(template):
    for form in FORM.findall(template):
        assert "csrf()" in form, form


def test_every_table_has_a_caption(template):
    for table in re.findall(r"<table\b.*?</table>", template, re.DOTALL):
        assert "<caption" in table, table


def test_every_icon_exists(template, app):
    known = app.jinja_env.get_template("icons.html").module.strokes

    assert set(ICON.findall(template)) <= set(known)


def test_every_icon_in_the_navigation_exists(app):
    known = app.jinja_env.get_template("icons.html").module.strokes

    assert {entry.icon for entry in app.extensions["nav"]} <= set(known)
