"""Sessions: seen, ended one by one, and over everywhere at once."""

import re
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select

from app import audit
from app.auth.models import User
from app.db import db, now
from app.settings import BadSettings
from app.stages.hardened.signin.models import Session
from app.stages.hardened.signin.sessions import prefix_of
from tests.auth.people import is_signed_in, log_in
from tests.services.identity.test_who import PROJECTS, within
from tests.world import PASSWORD, Seat, found, reads_of, sign_in

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def rows(app):
    with app.app_context():
        return list(db.session.scalars(select(Session).order_by(Session.id)))


def cookie_of(browser):
    with browser.session_transaction() as session:
        return session["_user_id"]


def test_a_log_in_is_a_row_with_a_hashed_key(app, acme, visitor):
    log_in(visitor, headers={"User-Agent": FIREFOX})

    (row,) = rows(app)
    key = cookie_of(visitor).split(":")[2]
    assert key not in (row.key_hash, str(row.id))
    assert (row.user_id, row.how, row.strong) == (acme.user_id, "password", False)
    assert row.address == "127.0.0.0/24"
    assert row.ends_at - row.made_at == pytest.approx(timedelta(days=14), abs=timedelta(seconds=1))


def test_whose_a_session_is_takes_one_question(app, acme, visitor):
    """With its end, the workspace's rules and the person's roles: every page asks it."""
    log_in(visitor)
    with app.app_context():
        engine = db.reader("auth")
    with reads_of(engine) as reads:
        answer = visitor.get("/t/acme/api/v1/me")

    assert answer.status_code == 200
    asked = [read for read in reads if "auth_" in read]
    (question,) = (read for read in asked if "auth_catalog" not in read)
    assert {"auth_sessions", "auth_sign_in_rules", "auth_sso", "auth_member_roles"} <= set(
        re.findall(r"auth_\w+", question)
    )


def test_the_page_lists_them_and_says_which_is_here(acme, visitor, another_visitor):
    log_in(visitor, headers={"User-Agent": FIREFOX})
    log_in(another_visitor)

    page = visitor.get("/account/sessions").text

    assert page.count("this one") == 1
    assert "Firefox on Linux" in page
    assert "Another program" in page
    assert "/account/sessions" in visitor.get("/account").text


def test_ending_one_ends_that_one_only(app, acme, visitor, another_visitor):
    log_in(visitor)
    log_in(another_visitor)

    visitor.post(f"/account/sessions/{rows(app)[1].id}/end")

    assert is_signed_in(visitor)
    assert not is_signed_in(another_visitor)


def test_ending_the_session_at_hand_logs_out(app, acme, visitor):
    log_in(visitor)

    assert visitor.post(f"/account/sessions/{rows(app)[0].id}/end").location == "/login"

    assert not is_signed_in(visitor)


def test_nobody_ends_another_persons_session(app, acme, initech, visitor):
    log_in(visitor)

    assert initech.client.post(f"/account/sessions/{rows(app)[0].id}/end").status_code == 404

    assert is_signed_in(visitor)
    page = initech.client.get("/account/sessions").text
    assert str(rows(app)[0].id) not in page


def test_logging_out_ends_the_session_and_not_the_cookie_alone(app, acme, visitor, another_visitor):
    """Who copied the cookie before has nothing of it."""
    log_in(visitor)
    with another_visitor.session_transaction() as session:
        session["_user_id"] = cookie_of(visitor)
    assert is_signed_in(another_visitor)

    visitor.post("/logout")

    assert not is_signed_in(another_visitor)
    assert rows(app)[0].ended_at is not None


def test_ending_all_others_ends_those_from_before_this_stage_too(
    app, acme, visitor, another_visitor
):
    log_in(visitor)
    log_in(another_visitor)
    assert is_signed_in(acme.client)  # Its cookie has no key.

    visitor.post("/account/sessions/others/end")

    assert is_signed_in(visitor)
    assert not is_signed_in(another_visitor)
    assert not is_signed_in(acme.client)


def test_a_session_from_before_this_stage_goes_on_and_says_why_it_isnt_listed(acme):
    assert "began before sessions were listed" in acme.client.get("/account/sessions").text


def test_a_key_cannot_be_cut_off_or_made_up(acme, visitor):
    """Of another person, of nobody, or with a tail: none of them is a session."""
    log_in(visitor)
    user, stamp, key = cookie_of(visitor).split(":")

    for forged in (f"{user}:{stamp}:{key}x", f"{user}:{stamp}:{key}:", f"{user}:{stamp}:x"):
        with visitor.session_transaction() as session:
            session["_user_id"] = forged
        assert not is_signed_in(visitor), forged


def test_a_key_is_its_own_persons_only(acme, initech, visitor):
    log_in(visitor)
    key = cookie_of(visitor).split(":")[2]
    with visitor.session_transaction() as session:
        session["_user_id"] = f"{initech.session_id}:{key}"

    assert not is_signed_in(visitor)


def test_a_new_password_gives_the_session_a_new_key(app, acme, visitor, another_visitor):
    log_in(visitor)
    log_in(another_visitor)
    before = cookie_of(visitor)

    passwords = {"password": PASSWORD, "new_password": "a better horse battery"}
    visitor.post("/account/password", data=passwords)

    assert is_signed_in(visitor)
    assert not is_signed_in(another_visitor)
    assert cookie_of(visitor).split(":")[2] != before.split(":")[2]
    page = visitor.get("/account/sessions").text
    assert len(re.findall(r"/account/sessions/[0-9a-f-]{36}/end", page)) == 1


def test_a_session_that_isnt_used_ends(make_app, acme):
    app = make_app(session_idle_hours=2)
    browser = app.test_client()
    with time_machine.travel(now(), tick=False) as clock:
        log_in(browser)
        for _ in range(3):  # Each use makes it last on.
            clock.shift(timedelta(minutes=119))
            assert is_signed_in(browser)
        clock.shift(timedelta(minutes=121))
        assert not is_signed_in(browser)


def test_a_session_ends_at_last_however_much_it_is_used(make_app, acme):
    app = make_app(session_hours=3)
    browser = app.test_client()
    with time_machine.travel(now(), tick=False) as clock:
        log_in(browser)
        for _ in range(2):
            clock.shift(timedelta(minutes=85))
            assert is_signed_in(browser)
        clock.shift(timedelta(minutes=11))
        assert not is_signed_in(browser)


def test_when_it_was_last_used_is_noted_once_in_some_minutes(app, acme, visitor):
    with time_machine.travel(now(), tick=False) as clock:
        log_in(visitor)
        first = rows(app)[0].seen_at
        clock.shift(timedelta(minutes=4))
        assert is_signed_in(visitor)
        assert rows(app)[0].seen_at == first
        clock.shift(timedelta(minutes=2))
        assert is_signed_in(visitor)
        assert rows(app)[0].seen_at - first == timedelta(minutes=6)


def test_a_deleted_persons_sessions_are_gone(app, member, visitor):
    log_in(visitor, "max@acme.test")

    visitor.post("/account/deletion", data={"password": PASSWORD})

    assert rows(app) == []
    with app.app_context():
        assert User.with_email("max@acme.test") is None


def test_what_ended_long_ago_is_forgotten_at_a_log_in(app, acme, visitor):
    with time_machine.travel(now(), tick=False) as clock:
        log_in(visitor)
        clock.shift(timedelta(days=60))
        log_in(app.test_client())
        assert len(rows(app)) == 1


def test_ending_a_session_is_written_down(app, acme, visitor, another_visitor):
    log_in(visitor)
    log_in(another_visitor)
    other = rows(app)[1].id

    visitor.post(f"/account/sessions/{other}/end")

    with app.app_context():
        ended = select(audit.AuditRow).where(audit.AuditRow.action == "session.ended")
        (row,) = db.session.scalars(ended)
        assert (row.actor_id, row.target) == (acme.user_id, str(other))


PREFIXES = {
    "203.0.113.77": "203.0.113.0/24",
    "2001:db8:aa:bb::1": "2001:db8:aa::/48",
    "nonsense": "",
    "": "",
}


@pytest.mark.parametrize(("address", "kept"), PREFIXES.items())
def test_an_address_is_kept_as_far_as_its_person_knows_it(address, kept):
    assert prefix_of(address) == kept


def test_a_session_without_end_is_refused_at_start(make_app):
    with pytest.raises(BadSettings, match="SESSION_HOURS"):
        make_app(session_hours=10_000)


def at(service: str, system, cookie: str, seat: Seat):
    """That service as the browser with this cookie sees it."""
    seat.session_id = cookie
    return sign_in(system[service].app, seat)


def test_a_session_that_was_ended_is_refused_within_a_second_in_every_service(system):
    seat = found(system["auth"].app, "acme", "Acme", "ada@acme.test", "Ada")
    lost, mine = system["auth"].app.test_client(), system["auth"].app.test_client()
    log_in(lost)
    log_in(mine)
    stolen = at("features", system, cookie_of(lost), seat)
    kept = at("features", system, cookie_of(mine), seat)
    assert stolen.get(PROJECTS).status_code == 200
    assert kept.get(PROJECTS).status_code == 200

    ended = rows(system["auth"].app)[0].id
    mine.post(f"/account/sessions/{ended}/end")

    assert within(1, lambda: stolen.get(PROJECTS).status_code == 401)
    assert kept.get(PROJECTS).status_code == 200


def test_logging_out_counts_in_every_service(system):
    seat = found(system["auth"].app, "acme", "Acme", "ada@acme.test", "Ada")
    browser = system["auth"].app.test_client()
    log_in(browser)
    copied = at("features", system, cookie_of(browser), seat)
    assert copied.get(PROJECTS).status_code == 200

    browser.post("/logout")

    assert within(1, lambda: copied.get(PROJECTS).status_code == 401)
