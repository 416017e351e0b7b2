"""The second factor: asked for after the password, good once, and no way round it."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
import time_machine
from sqlalchemy import select, text

from app import encryption
from app.auth import links
from app.auth.models import User
from app.db import db, now
from app.stages.hardened.signin import second_factor
from app.stages.hardened.signin.models import RecoveryCode, Session, Totp
from tests.auth.people import is_signed_in, log_in
from tests.hardened.signin.authenticator import enter, turn_on
from tests.services.identity.test_who import PROJECTS, within
from tests.world import PASSWORD, found, sign_in

LATER = timedelta(seconds=31)


@pytest.fixture
def clock(app):
    with time_machine.travel(now(), tick=False) as clock:
        yield clock


@pytest.fixture
def phone(acme, clock):
    """Ada's, which has shown one code already."""
    made = turn_on(acme.client)
    clock.shift(LATER)
    return made


def test_the_picture_is_made_here_and_asks_nobody(acme):
    acme.client.post("/account/second-factor/begin", data={"password": PASSWORD})

    page = acme.client.get("/account/second-factor/setup").text

    assert "<svg" in page
    assert "style=" not in page.partition("<svg")[2].partition("</svg>")[0]
    assert not re.search(r'(src|href)="https?://', page)


def test_the_password_alone_opens_nothing_any_more(phone, visitor):
    answer = log_in(visitor)

    assert answer.location == "/login/code"
    assert not is_signed_in(visitor)
    assert visitor.get("/t/acme/members").location.startswith("/login?")


def test_the_password_and_a_code_open_the_workspace(app, phone, visitor):
    assert enter(visitor, phone.code()).location == "/t/acme/"

    assert is_signed_in(visitor)
    with app.app_context():
        assert db.session.scalars(select(Session.strong).order_by(Session.id.desc())).first()


def test_the_way_back_survives_the_second_step(phone, visitor):
    log_in(visitor, query_string={"next": "/t/acme/members"})

    answer = visitor.post("/login/code", data={"code": phone.code()})

    assert answer.location == "/t/acme/members"


def test_a_code_may_have_blanks_in_it(phone, visitor):
    code = phone.code()

    enter(visitor, f" {code[:3]} {code[3:]} ")

    assert is_signed_in(visitor)


def test_a_code_opens_one_log_in(phone, visitor, another_visitor):
    enter(visitor, phone.code())
    answer = enter(another_visitor, phone.code())

    assert answer.status_code == 422
    assert "used already" in answer.text
    assert not is_signed_in(another_visitor)


def test_a_code_of_before_the_last_one_opens_nothing(phone, visitor, another_visitor, clock):
    before = phone.code()
    clock.shift(LATER)
    enter(visitor, phone.code())

    enter(another_visitor, before)

    assert not is_signed_in(another_visitor)


def test_of_two_log_ins_with_one_code_one_wins(app, phone):
    """At the very same moment, from two threads, on the real database."""
    browsers = [app.test_client(), app.test_client()]
    for browser in browsers:
        log_in(browser)
    code, together = phone.code(), Barrier(2)

    def send(browser):
        together.wait()
        return browser.post("/login/code", data={"code": code}).status_code

    with ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(send, browsers))

    assert answers == [302, 422]
    assert sorted(map(is_signed_in, browsers)) == [False, True]


WRONG = [
    "",
    "000000",
    "abcdef",
    "12345",
    "1234567",
    "\u0661\u0662\u0663\u0664\u0665\u0666",
    "0" * 41,
]


@pytest.mark.parametrize("code", WRONG)
def test_a_wrong_code_opens_nothing(phone, visitor, code):
    assert enter(visitor, code).status_code == 422

    assert not is_signed_in(visitor)


@pytest.mark.parametrize("steps", [-3, -2, 2, 3])
def test_a_code_of_another_time_opens_nothing(phone, visitor, clock, steps):
    clock.shift(timedelta(minutes=5))

    enter(visitor, phone.code(now() + timedelta(seconds=30 * steps)))

    assert not is_signed_in(visitor)


@pytest.mark.parametrize("steps", [-1, 1])
def test_clocks_may_differ_by_a_step(phone, visitor, clock, steps):
    clock.shift(timedelta(minutes=5))

    enter(visitor, phone.code(now() + timedelta(seconds=30 * steps)))

    assert is_signed_in(visitor)


def test_codes_are_tried_ten_times_and_no_more(phone, visitor):
    """The one that turned it on is the first."""
    log_in(visitor)
    for _ in range(9):
        assert visitor.post("/login/code", data={"code": "000000"}).status_code == 422

    assert visitor.post("/login/code", data={"code": phone.code()}).status_code == 429

    assert not is_signed_in(visitor)


def test_another_browser_does_not_begin_to_count_anew(app, phone):
    for _ in range(9):
        enter(app.test_client(), "000000")

    assert enter(app.test_client(), phone.code()).status_code == 429


def test_the_second_step_waits_ten_minutes(phone, visitor, clock):
    log_in(visitor)
    clock.shift(timedelta(minutes=10, seconds=1))

    answer = visitor.post("/login/code", data={"code": phone.code()})

    assert answer.location == "/login"
    assert not is_signed_in(visitor)


def test_a_new_password_ends_what_is_halfway(app, phone, visitor):
    log_in(visitor)
    with app.app_context():
        User.with_email("ada@acme.test").end_sessions()
        db.session.commit()

    assert visitor.post("/login/code", data={"code": phone.code()}).location == "/login"

    assert not is_signed_in(visitor)


def test_who_is_not_halfway_is_asked_for_the_password(visitor):
    assert visitor.get("/login/code").location == "/login"


def test_a_recovery_code_opens_one_log_in(phone, visitor, another_visitor):
    assert len(set(phone.recovery)) == 10

    enter(visitor, phone.recovery[3].upper())
    assert "You have 9 left." in visitor.get("/account").text

    enter(another_visitor, phone.recovery[3])
    assert not is_signed_in(another_visitor)
    enter(another_visitor, phone.recovery[4])
    assert is_signed_in(another_visitor)


def test_recovery_codes_are_kept_as_hashes_and_the_secret_encrypted(app, phone):
    with app.app_context():
        kept = [row.code_hash for row in db.session.scalars(select(RecoveryCode))]
        with db.engines["auth"].connect() as connection:
            raw = connection.execute(text("SELECT secret FROM auth_totp")).scalar()
        assert not {code.replace("-", "") for code in phone.recovery} & set(kept)
        assert phone.secret not in raw
        assert encryption.decrypt(raw) == phone.secret


def test_new_recovery_codes_end_the_old_ones(acme, phone, visitor):
    page = acme.client.post("/account/second-factor/recovery", data={"code": phone.code()}).text

    assert "Your recovery codes" in page
    assert phone.recovery[0] not in page
    enter(visitor, phone.recovery[0])
    assert not is_signed_in(visitor)


def test_a_new_password_by_mail_is_no_way_round(app, acme, phone, visitor):
    with app.app_context(), app.test_request_context():
        link = links.RESET.url(User.with_email("ada@acme.test"))

    path = "/reset?" + link.partition("?")[2]
    answer = visitor.post(path, data={"new_password": "a better horse battery"})

    assert answer.location == "/login/code"
    assert not is_signed_in(visitor)
    visitor.post("/login/code", data={"code": phone.code()})
    assert is_signed_in(visitor)


def test_turning_it_on_needs_the_password(acme):
    answer = acme.client.post("/account/second-factor/begin", data={"password": "a guess"})

    assert answer.status_code == 422
    assert acme.client.get("/account/second-factor/setup").location == "/account/second-factor"


def test_it_counts_once_a_code_was_right(app, acme, visitor):
    acme.client.post("/account/second-factor/begin", data={"password": PASSWORD})
    assert acme.client.post("/account/second-factor/setup", data={"code": "0"}).status_code == 422

    assert log_in(visitor).location == "/t/acme/"


def test_what_is_on_is_not_replaced_by_beginning_again(app, acme, phone):
    acme.client.post("/account/second-factor/begin", data={"password": PASSWORD})

    with app.app_context():
        assert db.session.scalars(select(Totp)).one().secret == phone.secret


def test_turning_it_off_needs_a_code(acme, phone, visitor):
    off = "/account/second-factor/end"
    assert acme.client.post(off, data={"code": "000000"}).status_code == 422
    assert log_in(visitor).location == "/login/code"

    acme.client.post(off, data={"code": phone.code()})

    assert log_in(visitor).location == "/t/acme/"


def test_who_deletes_their_account_leaves_nothing(app, acme, member, clock, visitor):
    turn_on(member.client)

    member.client.post("/account/deletion", data={"password": PASSWORD})

    with app.app_context():
        assert db.session.scalars(select(Totp)).all() == []
        assert db.session.scalars(select(RecoveryCode)).all() == []


def test_a_step_is_the_one_that_the_code_was_made_in():
    """Against the example of RFC 6238, appendix B (SHA-1, its last six digits)."""
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    with time_machine.travel(1_111_111_109, tick=False):
        assert second_factor.step_of(secret, "081804") == 1_111_111_109 // 30
        assert second_factor.step_of(secret, "081805") is None


def ask_for_it(company):
    return company.post("/settings/sign-in", data={"strong_only": "y"})


def test_a_workspace_may_ask_it_of_everybody(acme, member, phone, visitor):
    assert ask_for_it(acme).status_code == 302

    assert acme.get("/members").status_code == 200
    assert member.get("/members").location == "/login/needed?workspace=acme"
    assert member.get("/").location == "/login/needed?workspace=acme"
    assert member.get("/api/v1/members").status_code == 403
    assert "Turn on your second factor" in member.client.get("/login/needed?workspace=acme").text


def test_who_turns_it_on_is_let_in(acme, member, phone):
    ask_for_it(acme)

    turn_on(member.client)

    assert member.get("/members").status_code == 200


def test_a_code_makes_a_session_from_before_strong(acme, member, phone, clock):
    """It began before this stage, so nobody knows what it has shown."""
    bea = member.app.test_client()
    log_in(bea, "max@acme.test")
    other = turn_on(bea)
    clock.shift(LATER)
    ask_for_it(acme)
    assert member.get("/members").status_code == 302

    answer = member.client.post("/login/needed?workspace=acme", data={"code": other.code()})

    assert answer.location == "/t/acme/"
    assert member.get("/members").status_code == 200


def test_whoever_turns_it_off_is_out_of_the_workspace(acme, member, phone, clock):
    ask_for_it(acme)
    other = turn_on(member.client)
    clock.shift(LATER)

    member.client.post("/account/second-factor/end", data={"code": other.code()})

    assert member.get("/members").status_code == 302


def test_nobody_locks_themselves_out(acme):
    answer = ask_for_it(acme)

    assert answer.status_code == 422
    assert "lock yourself out" in answer.text
    assert acme.get("/members").status_code == 200


def test_one_workspaces_rule_is_nothing_to_another(app, acme, phone, initech):
    ask_for_it(acme)

    assert initech.get("/members").status_code == 200


def test_only_owners_make_rules(acme, member, phone):
    assert ask_for_it(member).status_code == 403


def test_where_one_is_led_is_a_workspace_of_ones_own(acme, initech):
    for slug in ("initech", "evil.test/", "..//evil.test", ""):
        answer = acme.client.get("/login/needed", query_string={"workspace": slug})
        assert answer.status_code == 404, slug


def test_the_rule_counts_within_a_second_in_every_service(system):
    auth, features = system["auth"].app, system["features"].app
    ada = found(auth, "acme", "Acme", "ada@acme.test", "Ada")
    owner, max_ = sign_in(auth, ada), ada.join("max@acme.test", "Max")
    phone = turn_on(owner.client)
    assert len(phone.recovery) == 10
    theirs = sign_in(features, max_)
    assert theirs.get(PROJECTS).status_code == 200

    assert ask_for_it(owner).status_code == 302

    assert within(1, lambda: theirs.get(PROJECTS).status_code == 403)
    with owner.client.session_transaction() as session:
        ada.session_id = session["_user_id"]
    assert sign_in(features, ada).get(PROJECTS).status_code == 200
