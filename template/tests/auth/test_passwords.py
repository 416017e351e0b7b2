"""Passwords: what is good enough, how they change, and what ends with them."""

import threading

import pytest

from app.auth import passwords
from app.auth.passwords import weakness
from tests.auth.letters import letters, letters_to, text_of
from tests.auth.people import is_signed_in, log_in
from tests.world import PASSWORD, sign_in

NEW = "a better horse battery"


@pytest.mark.parametrize(
    "password",
    [
        "",
        "elevenchars",
        "x" * 129,
        "passwordpassword",
        "Password1234!",
        "P4$$w0rd-2026",
        "qwertyuiop12",
        "111111111111",
        "abababababab",
        "123456789012",
        "098765432109",
        "abcdefghijklmn",
        "iloveyou!!!!",
        "welcome12345",
        "ada lovelace",
        "AdaLovelace",
        "ada@analytical.test",
    ],
)
def test_a_password_that_is_easily_guessed_is_weak(password):
    assert weakness(password, "Ada Lovelace", "ada@analytical.test")


@pytest.mark.parametrize(
    "password",
    [
        "demo-password-1",
        PASSWORD,
        "twelve chars",
        "x1" + "y2z3" * 31,
        "пароль из слов",
        "🐎🔋📎🎩🚂🌲🐙🎈🍩🧭🪐🧩",
        "   spaces   count   ",
        "password is a word in a long sentence",
    ],
)
def test_other_passwords_are_good(password):
    assert weakness(password, "Ada Lovelace", "ada@analytical.test", "") == ""


def test_a_hash_is_argon2id_with_64_mib_where_it_counts(make_app, app):
    with app.app_context():
        assert passwords.hash_password(PASSWORD).startswith("$argon2id$")
    real = passwords.hasher_for(testing=False)
    assert (real.type.name, real.memory_cost, real.time_cost) == ("ID", 65536, 3)


def test_nobodys_password_is_never_right(app):
    with app.app_context():
        for password in ("nobody", "", PASSWORD):
            assert not passwords.is_right(None, password)


def test_only_so_many_hashes_are_made_at_once(app, monkeypatch):
    """Each takes 64 MiB: a burst of log-ins queues instead of exhausting the machine."""
    running, most = [], []
    gate = threading.Event()

    class Hasher:
        def hash(self, password):
            running.append(password)
            most.append(len(running))
            gate.wait(0.05)
            running.pop()

    monkeypatch.setattr(passwords, "hasher", Hasher)
    threads = [threading.Thread(target=passwords.hash_password, args=("x",)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(most) == 6
    assert max(most) <= 2


def change(browser, password=PASSWORD, new=NEW):
    return browser.post("/account/password", data={"password": password, "new_password": new})


def test_a_new_password_ends_every_other_session_and_keeps_this_one(app, acme, browser):
    log_in(browser)

    assert change(browser).location == "/account"

    assert is_signed_in(browser)
    assert not is_signed_in(acme.client)
    assert log_in(app.test_client(), password=PASSWORD).status_code == 422
    assert log_in(app.test_client(), password=NEW).status_code == 302


def test_a_new_password_is_told_by_mail(app, acme):
    change(acme.client)

    (letter,) = letters_to(app, "ada@acme.test")
    assert "was just changed" in text_of(letter)


def test_the_old_password_is_asked_for(app, acme):
    answer = change(acme.client, password="a guess")

    assert answer.status_code == 422
    assert "This isn&#39;t your password." in answer.text
    assert log_in(app.test_client()).status_code == 302


@pytest.mark.parametrize("new", ["short", "ada@acme.test", "passwordpassword"])
def test_a_weak_new_password_is_refused(app, acme, new):
    assert change(acme.client, new=new).status_code == 422
    assert log_in(app.test_client()).status_code == 302


def test_another_persons_sessions_go_on(acme, initech):
    change(acme.client)

    assert is_signed_in(initech.client)


def test_logging_out_everywhere_ends_every_session(app, acme, browser):
    log_in(browser)

    browser.post("/account/sessions/end")

    assert not is_signed_in(browser)
    assert not is_signed_in(acme.client)
    assert is_signed_in(browser) is False
    assert log_in(browser).status_code == 302


@pytest.mark.parametrize("email", ["ada@acme.test", "nobody@acme.test"])
def test_forgetting_a_password_tells_nothing_about_who_has_an_account(acme, browser, email):
    answer = browser.post("/forgot", data={"email": email}, follow_redirects=True)

    assert answer.status_code == 200
    assert "If this address has an account, a link for a new password is on its way." in answer.text


def test_only_an_address_with_an_account_gets_the_link(app, acme, browser):
    for email in ("ADA@acme.test", "nobody@acme.test"):
        browser.post("/forgot", data={"email": email})

    assert [letter["To"] for letter in letters(app)] == ["ada@acme.test"]


def test_the_page_does_the_same_work_for_known_and_unknown_addresses(app, acme, browser):
    """Who has the address is looked up later, by the worker."""
    for email in ("ada@acme.test", "nobody@acme.test"):
        browser.post("/forgot", data={"email": email})
        assert len(app.extensions["queue"].pending()) == 1
        app.extensions["queue"].flush()


def test_a_forged_session_of_another_secret_is_nobodys(app, make_app, acme):
    other = make_app(secret_key="another key, long enough")
    forged = sign_in(other, acme).client.get_cookie("session").value
    browser = app.test_client()
    browser.set_cookie("session", forged)

    assert not is_signed_in(browser)
