"""Signing up: from a name to a workspace, with an address that is really one's own."""

from tests.auth.letters import link_in, newest

GRACE = {"name": "Grace Hopper", "email": "grace@navy.test", "new_password": "nanoseconds of wire"}


def sign_up(browser, **changes):
    return browser.post("/signup", data=GRACE | changes)


def test_from_the_sign_up_to_the_first_page_of_a_workspace(app, browser):
    assert sign_up(browser).location == "/signup/sent"
    assert "grace@navy.test" in browser.get("/signup/sent").text

    link = link_in(newest(app, "grace@navy.test"))
    assert browser.get(link).status_code == 200
    assert browser.post(link).location == "/workspaces"

    answer = browser.post("/workspaces/new", data={"name": "Navy"})
    assert answer.location == "/t/navy/"
    assert browser.get("/t/navy/", follow_redirects=True).status_code == 200
