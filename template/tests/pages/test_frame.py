"""The frame of every page: who sees which way to go, and what browsers ask for by themselves."""

import re

import pytest

from app.access import Permission, declare
from app.pages import NavEntry, add_entry

SECRET = NavEntry("Vault", "analytics.dashboard", "vault:open", icon="lock", order=1)


@pytest.fixture
def vault(app):
    """An entry in the navigation that members may not follow."""
    declare(app, {"vault:open": Permission("Open the vault")})
    add_entry(app, SECRET)
    yield
    app.extensions["nav"].remove(SECRET)
    del app.extensions["permissions"]["vault:open"]


def navigation_of(page: str) -> list[str]:
    nav = re.search(r'<ul class="nav".*?</ul>', page, re.DOTALL)[0]
    return re.findall(r"</svg>\s*([^<]+?)\s*</a>", nav)


def test_people_see_only_where_they_may_go(acme, member, vault):
    mine = navigation_of(acme.get("/analytics/").text)
    theirs = navigation_of(member.get("/analytics/").text)

    assert mine[0] == "Vault"
    assert "Vault" not in theirs
    assert "Analytics" in theirs


def test_the_entry_of_the_current_page_is_marked(acme):
    page = acme.get("/analytics/").text

    assert len(re.findall('href="/t/acme/analytics/" aria-current="page"', page)) == 1


def test_a_page_names_the_workspace_and_who_is_there(acme):
    page = acme.get("/analytics/").text

    assert "Acme" in page
    assert "ada@acme.test" in page
    assert re.search(r'<form method="post" action="/logout">\s*<input[^>]*csrf_token', page)


def test_outside_a_workspace_there_is_no_navigation(acme):
    page = acme.client.get("/workspaces").text

    assert 'class="nav"' not in page
    assert "ada@acme.test" in page


def test_the_front_page_invites(app):
    page = app.test_client().get("/").text

    assert 'href="/signup"' in page
    assert 'href="/login"' in page


def test_names_are_text_wherever_they_stand(app):
    from tests.world import found, sign_in

    rude = sign_in(app, found(app, "rude", "<b>Rude</b>", "r@rude.test", "<i>Rudi</i>"))

    page = rude.get("/analytics/").text

    assert "<b>Rude" not in page
    assert "<i>Rudi" not in page


@pytest.mark.parametrize("name", ["app.css", "app.js", "logo.svg", "favicon.svg"])
def test_static_files_have_an_address_of_their_own_for_ever(app, name):
    with app.test_request_context():
        address = app.jinja_env.globals["asset"](name)

    answer = app.test_client().get(address, buffered=True)

    assert "?v=" in address
    assert answer.status_code == 200
    assert "max-age=31536000" in answer.headers["Cache-Control"]


def test_browsers_that_ask_for_an_icon_find_it(app):
    answer = app.test_client().get("/favicon.ico", follow_redirects=True, buffered=True)

    assert answer.mimetype == "image/svg+xml"


def test_robots_are_kept_from_what_lies_behind_the_log_in(app):
    assert "Disallow: /t/" in app.test_client().get("/robots.txt").text


def test_the_style_guide_is_for_development(make_app):
    assert make_app().test_client().get("/styleguide").status_code == 200


def test_a_bad_form_says_what_is_wrong_beside_the_field_and_above_all(app):
    page = app.test_client().post("/styleguide", data={"email": "nowhere"}).text

    assert '<a href="#name">Name: Give it a name.</a>' in page
    assert re.search(r'<input aria-describedby="name-hint name-error" aria-invalid="true"', page)
    assert 'id="name-error"' in page
    assert "That isn&#39;t an address." in page
