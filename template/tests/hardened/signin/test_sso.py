"""Single sign-on: a provider is believed in its own workspace, and only when what it says holds."""

import re
import secrets

import pytest
from sqlalchemy import select, text

from app.auth.models import Invitation, Membership, User
from app.db import db
from app.dev.postgres import free_port
from app.stages.hardened.signin import fetching
from app.stages.hardened.signin.fetching import ProviderRefused
from app.stages.hardened.signin.models import Ceremony, Session, Sso, SsoLink
from tests.auth.people import is_signed_in, log_in
from tests.hardened.signin.authenticator import turn_on
from tests.hardened.signin.providers import (
    CLIENT,
    SECRET,
    Provider,
    go_there,
    query_of,
    real_one,
    serving,
)
from tests.services.identity.test_who import PROJECTS, within
from tests.world import PRODUCTION, found, sign_in


@pytest.fixture
def provider():
    port = free_port()
    with serving(Provider(port), port) as provider:
        yield provider


@pytest.fixture
def another_provider():
    port = free_port()
    with serving(Provider(port), port) as provider:
        yield provider


def set_up(company, issuer, **changes):
    form = {
        "issuer": issuer,
        "client_id": CLIENT,
        "client_secret": SECRET,
        "domains": "acme.test",
        "role_claim": "groups",
        "role_map": "admins = owner\nstaff = member",
    }
    return company.post("/settings/sso", data=form | changes)


@pytest.fixture
def sso(acme, provider):
    """Acme's provider, which knows Eve."""
    assert set_up(acme, provider.issuer).status_code == 302
    return provider


def begin(browser, slug="acme", **query):
    return browser.get(f"/login/sso/{slug}", query_string=query).location


def come_back(browser, url):
    return browser.get("/login/sso/callback?" + url.partition("?")[2])


def enter(browser, slug="acme", **query):
    """Log in at the provider, there and back."""
    return come_back(browser, go_there(begin(browser, slug, **query)))


def people(app):
    with app.app_context():
        return sorted(db.session.scalars(select(User.email)))


def test_somebody_new_is_let_in_as_a_member(app, sso, visitor):
    assert enter(visitor).location == "/t/acme/"

    assert visitor.get("/t/acme/members").status_code == 200
    with app.app_context():
        user = User.with_email("eve@acme.test")
        assert (user.name, user.email_confirmed_at) == ("Eve Stone", None)
        assert [one.role for one in user.memberships] == ["member"]
        session = db.session.scalars(select(Session).where(Session.user_id == user.id)).one()
        assert session.how == "sso"


def test_who_comes_again_is_the_same_whatever_their_address_is_now(app, sso, visitor):
    enter(visitor)
    sso.person |= {"email": "stone@elsewhere.test", "email_verified": False, "name": "Mallory"}

    enter(app.test_client())

    assert people(app) == ["ada@acme.test", "eve@acme.test"]


def test_it_works_with_a_provider_that_somebody_else_wrote(acme, visitor):
    person = {"sub": "42", "email": "kim@acme.test", "email_verified": True, "name": "Kim"}
    with real_one(person) as issuer:
        assert set_up(acme, issuer).status_code == 302

        back = go_there(begin(visitor), sub="42")

        assert come_back(visitor, back).location == "/t/acme/"
    assert "Kim" in visitor.get("/t/acme/members").text


def test_the_way_back_survives_and_leads_nowhere_else(app, sso):
    assert enter(app.test_client(), next="/t/acme/members").location == "/t/acme/members"
    for target in ("/t/initech/members", "//evil.test", "https://evil.test", "/account"):
        assert enter(app.test_client(), next=target).location == "/t/acme/"


def test_the_request_holds_what_it_must(sso, visitor):
    asked = query_of(begin(visitor))

    assert asked["redirect_uri"] == "http://localhost:5000/login/sso/callback"
    assert asked["client_id"] == CLIENT
    assert len(asked["nonce"]) >= 32
    assert len(asked["state"]) >= 32
    assert SECRET not in str(asked)


# --- A provider that lies -------------------------------------------------------------------------

LIES = {
    "another issuer": {"iss": "https://evil.test"},
    "the issuer with a slash": {"iss": "slash"},
    "for another client": {"aud": "somebody else"},
    "for several, and another party": {"aud": [CLIENT, "other"], "azp": "other"},
    "for several, and no party": {"aud": [CLIENT, "other"]},
    "no audience": {"aud": None},
    "another log-in's nonce": {"nonce": "replayed"},
    "no nonce": {"nonce": None},
    "too old": {"exp": 1_000_000_000},
    "no end": {"exp": None},
    "from the future": {"iat": 99_999_999_999},
    "nobody": {"sub": None},
    "an empty somebody": {"sub": ""},
    "a number": {"sub": 7},
    "a list": {"sub": ["eve-7"]},
    "too long": {"sub": "x" * 256},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_a_token_that_does_not_hold_lets_nobody_in(app, sso, visitor, lie):
    sso.claims = {**lie, **({"iss": f"{sso.issuer}/"} if lie.get("iss") == "slash" else {})}

    answer = enter(visitor)

    assert answer.status_code == 502
    assert "sign-on of this workspace" in answer.text
    assert not is_signed_in(visitor)
    assert people(app) == ["ada@acme.test"]


@pytest.mark.parametrize("forgery", ["unsigned", "by_public_key", "by_another_key"])
def test_a_token_that_its_issuer_did_not_sign_lets_nobody_in(sso, visitor, forgery):
    sso.forge = getattr(sso, forgery)

    assert enter(visitor).status_code == 502

    assert not is_signed_in(visitor)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "....", "é"])
def test_what_is_no_token_lets_nobody_in(sso, visitor, token):
    sso.forge = lambda _claims: token

    assert enter(visitor).status_code == 502

    assert not is_signed_in(visitor)


NOT_VERIFIED = [False, None, "true", "false", 1, []]


@pytest.mark.parametrize("verified", NOT_VERIFIED)
def test_an_address_that_is_not_verified_lets_nobody_new_in(app, sso, visitor, verified):
    sso.claims = {"email_verified": verified}

    answer = enter(visitor)

    assert answer.status_code == 403
    assert "verified" in answer.text
    assert people(app) == ["ada@acme.test"]


STRANGERS = ["eve@initech.test", "eve@sub.acme.test", "eve@notacme.test", "acme.test", "", None, 7]


@pytest.mark.parametrize("email", STRANGERS)
def test_an_address_in_another_domain_lets_nobody_new_in(app, sso, visitor, email):
    sso.claims = {"email": email}

    assert enter(visitor).status_code == 403

    assert people(app) == ["ada@acme.test"]


def test_telling_somebodys_address_does_not_make_one_them(app, acme, sso, visitor):
    sso.claims = {"sub": "mallory", "email": "Ada@acme.test"}

    answer = enter(visitor)

    assert answer.location.startswith("/login?next=/login/sso/connection")
    assert not is_signed_in(visitor)
    with app.app_context():
        assert db.session.scalars(select(SsoLink)).all() == []


def test_who_has_an_account_connects_it_by_logging_in_once(app, acme, sso, visitor):
    sso.claims = {"sub": "ada-1", "email": "ada@acme.test", "groups": ["staff"]}
    to_connect = query_of(enter(visitor).location)["next"]
    log_in(visitor)
    assert "Connect" in visitor.get(to_connect).text

    assert visitor.post(to_connect).location == "/t/acme/"

    other = app.test_client()
    assert enter(other).location == "/t/acme/"
    assert "ada@acme.test" in other.get("/account").text
    with acme.serving():
        key = acme.tenant.id, acme.user_id
        assert db.session.get(Membership, key).role == "owner"  # No claim takes it away.


def test_nobody_connects_another_persons_account(app, acme, member, sso, visitor):
    sso.claims = {"sub": "mallory", "email": "ada@acme.test"}
    to_connect = query_of(enter(visitor).location)["next"]

    answer = member.client.post(to_connect)

    assert answer.status_code == 403
    with app.app_context():
        assert db.session.scalars(select(SsoLink)).all() == []


def test_a_connection_is_made_once_and_from_what_a_provider_said(acme, sso, visitor):
    sso.claims = {"sub": "ada-1", "email": "ada@acme.test"}
    to_connect = query_of(enter(visitor).location)["next"]
    acme.client.post(to_connect)

    assert acme.client.post(to_connect).status_code == 400
    assert acme.client.post("/login/sso/connection?key=made-up").status_code == 400


# --- Flows that are mixed up ----------------------------------------------------------------------


def test_an_answer_that_this_browser_did_not_ask_for_is_refused(sso, visitor, another_visitor):
    """Else Mallory could sign somebody in as Mallory, and read what they write."""
    begin(another_visitor)
    back = go_there(begin(visitor))

    assert come_back(another_visitor, back).status_code == 400

    assert not is_signed_in(another_visitor)


def test_an_answer_counts_once(app, sso, visitor):
    begin_at = begin(visitor)
    with visitor.session_transaction() as session:
        kept = dict(session)
    back = go_there(begin_at)
    come_back(visitor, back)
    again = app.test_client()
    with again.session_transaction() as session:
        session.update(kept)

    assert come_back(again, back).status_code == 400

    assert not is_signed_in(again)


def test_a_code_is_worth_nothing_in_another_flow(sso, visitor, another_visitor):
    """PKCE: the code came from another log-in, and its verifier is there."""
    code = query_of(go_there(begin(another_visitor)))["code"]
    state = query_of(begin(visitor))["state"]

    answer = visitor.get("/login/sso/callback", query_string={"code": code, "state": state})

    assert answer.status_code == 502
    assert not is_signed_in(visitor)


@pytest.mark.parametrize("state", ["", "x", "y" * 43])
def test_a_state_that_is_made_up_is_refused(sso, visitor, state):
    begin(visitor)

    answer = visitor.get("/login/sso/callback", query_string={"code": "x", "state": state})

    assert answer.status_code == 400


def test_another_workspaces_state_does_not_fit(app, acme, initech, sso, another_provider, visitor):
    """A log-in that began for one workspace can't be ended by another one's provider."""
    set_up(initech, another_provider.issuer, domains="initech.test")
    another_provider.person["email"] = "eve@initech.test"
    code = query_of(go_there(begin(app.test_client(), "initech")))["code"]
    state = query_of(begin(visitor))["state"]

    answer = visitor.get("/login/sso/callback", query_string={"code": code, "state": state})

    assert answer.status_code == 502
    assert not is_signed_in(visitor)


def test_a_provider_that_answers_for_another_is_found_out(sso, visitor):
    """RFC 9207: who answers says so."""
    sso.callback = {"iss": "https://another.test"}

    assert enter(visitor).status_code == 502


def test_a_flow_does_not_outlive_a_change_of_the_provider(acme, sso, another_provider, visitor):
    back = go_there(begin(visitor))
    set_up(acme, another_provider.issuer)

    assert come_back(visitor, back).status_code == 400


# --- Between workspaces ---------------------------------------------------------------------------


def test_a_provider_opens_its_own_workspace_only(app, acme, initech, sso, visitor):
    """Ada belongs to both. Who runs acme's provider could say that they're Ada."""
    with app.app_context():
        place = Membership(tenant_id=initech.tenant.id, user_id=acme.user_id, role="owner")
        db.session.add(place)
        db.session.commit()
    sso.claims = {"sub": "ada-1", "email": "ada@acme.test"}
    acme.client.post(query_of(enter(visitor).location)["next"])
    browser = app.test_client()
    assert enter(browser).location == "/t/acme/"

    assert browser.get("/t/acme/members").status_code == 200
    for path in ("/members", "/", "/settings/tokens"):
        assert browser.get(f"/t/initech{path}").location == "/login/needed?workspace=initech"
    assert browser.get("/t/initech/api/v1/members").status_code == 403
    assert "another workspace" in browser.get("/login/needed?workspace=initech").text


def test_a_code_alone_does_not_free_a_session_of_its_provider(app, acme, sso, visitor):
    sso.claims = {"sub": "ada-1", "email": "ada@acme.test"}
    acme.client.post(query_of(enter(visitor).location)["next"])
    phone = turn_on(acme.client)
    browser = app.test_client()
    enter(browser)

    browser.post("/login/needed?workspace=acme", data={"code": phone.recovery[0]})

    with app.app_context():
        latest = db.session.scalars(select(Session).order_by(Session.id.desc())).first()
        assert latest.how == "sso"


def test_one_subject_at_two_providers_is_two_people(app, acme, initech, sso, another_provider):
    set_up(initech, another_provider.issuer, domains="initech.test")
    another_provider.person["email"] = "eve@initech.test"

    enter(app.test_client())
    enter(app.test_client(), "initech")

    assert {"eve@acme.test", "eve@initech.test"} <= set(people(app))


def test_an_invitation_is_nothing_to_whom_only_a_provider_vouches_for(
    app, acme, initech, sso, visitor
):
    """Acme's provider may say any address; initech invited the one who really has it."""
    enter(visitor)
    initech.post("/members/invitations", data={"email": "eve@acme.test", "role": "owner"})
    with app.app_context():
        invitation = db.session.scalars(select(Invitation.id)).one()

    answer = visitor.post(f"/workspaces/invitations/{invitation}/acceptance")

    assert answer.status_code == 410


def test_a_sign_up_with_the_address_of_somebody_let_in_changes_nothing(app, sso, visitor):
    enter(visitor)
    form = {
        "name": "Mallory",
        "email": "eve@acme.test",
        "new_password": "a better horse battery",
    }

    app.test_client().post("/signup", data=form)

    assert is_signed_in(visitor)
    with app.app_context():
        assert User.with_email("eve@acme.test").name == "Eve Stone"


# --- Roles ----------------------------------------------------------------------------------------

GROUPS = {
    "nothing": (None, "member"),
    "a value that maps to nothing": (["wheel"], "member"),
    "mapped": (["staff"], "member"),
    "mapped to owner": (["staff", "admins"], "owner"),
    "one as text": ("admins", "owner"),
    "the role's own name": (["owner"], "member"),
    "nonsense": ({"admins": True}, "member"),
    "nested": ([["admins"]], "member"),
}


@pytest.mark.parametrize(("groups", "role"), GROUPS.values(), ids=GROUPS.keys())
def test_a_claim_gives_the_role_that_the_workspace_says(app, sso, visitor, groups, role):
    sso.claims = {"groups": groups}

    enter(visitor)

    with app.app_context():
        (place,) = User.with_email("eve@acme.test").memberships
        assert place.role == role


def test_who_was_removed_does_not_come_back_by_their_provider(app, acme, sso, visitor):
    enter(visitor)
    with app.app_context():
        eve = User.with_email("eve@acme.test").id
    acme.post(f"/members/{eve}/removal")

    answer = enter(app.test_client())

    assert answer.status_code == 403
    assert "You were removed" in answer.text


# --- Enforced -------------------------------------------------------------------------------------


def enforce(company, issuer):
    return set_up(company, issuer, enforced="y", client_secret="")


def test_enforced_it_closes_every_other_way_in(acme, member, sso, visitor):
    turn_on(acme.client)
    assert enforce(acme, sso.issuer).status_code == 302

    for path in ("/members", "/settings/tokens", "/"):
        assert member.get(path).location == "/login/needed?workspace=acme"
    form = {"name": "x", "days": "5"}
    assert member.post("/settings/tokens", data=form).location.startswith("/login/needed")
    assert "Log in with your company" in member.client.get("/login/needed?workspace=acme").text
    enter(visitor)
    assert visitor.get("/t/acme/members").status_code == 200


def test_an_owner_with_a_second_factor_gets_in_when_the_provider_is_away(acme, sso):
    turn_on(acme.client)
    enforce(acme, sso.issuer)

    assert acme.get("/settings/sso").status_code == 200


def test_nobody_locks_everybody_out(acme, sso):
    answer = enforce(acme, sso.issuer)

    assert answer.status_code == 422
    assert "lock yourself out" in answer.text
    assert acme.get("/members").status_code == 200


def test_turning_it_off_ends_what_it_began(acme, sso, visitor):
    enter(visitor)
    assert visitor.get("/t/acme/members").status_code == 200

    acme.post("/settings/sso/end")

    assert visitor.get("/t/acme/members").location == "/login/needed?workspace=acme"
    assert visitor.get("/login/sso/acme").status_code == 404


def test_it_counts_within_a_second_in_every_service(system, provider):
    auth, features = system["auth"].app, system["features"].app
    ada = found(auth, "acme", "Acme", "ada@acme.test", "Ada")
    owner, max_ = sign_in(auth, ada), ada.join("max@acme.test", "Max")
    turn_on(owner.client)
    assert set_up(owner, provider.issuer).status_code == 302
    theirs = sign_in(features, max_)
    assert theirs.get(PROJECTS).status_code == 200

    enforce(owner, provider.issuer)

    assert within(1, lambda: theirs.get(PROJECTS).status_code == 403)
    eve = auth.test_client()
    enter(eve)
    with eve.session_transaction() as session:
        max_.session_id = session["_user_id"]
    assert sign_in(features, max_).get(PROJECTS).status_code == 200


# --- Settings, and a provider that's away ---------------------------------------------------------


def test_only_owners_set_it_and_the_secret_is_encrypted(app, acme, member, sso):
    assert set_up(member, sso.issuer).status_code == 403
    assert SECRET not in acme.get("/settings/sso").text
    with app.app_context(), db.engines["auth"].connect() as connection:
        assert SECRET not in connection.execute(text("SELECT client_secret FROM auth_sso")).scalar()


def test_an_empty_secret_keeps_the_one_that_is_there(app, acme, sso, visitor):
    set_up(acme, sso.issuer, client_secret="", domains="acme.test, other.test")

    assert enter(visitor).location == "/t/acme/"
    with app.app_context():
        assert db.session.scalars(select(Sso)).one().domains == "acme.test other.test"


BAD = {
    "no address": {"issuer": "acme"},
    "a file": {"issuer": "file:///etc/passwd"},
    "with a password": {"issuer": "http://user:pw@localhost:1"},
    "a bad port": {"issuer": "http://localhost:99999999"},
    "roles that aren't": {"role_map": "admins = emperor"},
    "no domain": {"domains": " "},
    "half a domain": {"domains": "acme"},
    "everybody": {"domains": "*"},
}


@pytest.mark.parametrize("changes", BAD.values(), ids=BAD.keys())
def test_what_makes_no_sense_is_refused_and_stays_on_the_form(acme, provider, changes):
    answer = set_up(acme, **{"issuer": provider.issuer, "client_id": "kept text", **changes})

    assert answer.status_code == 422
    assert "kept text" in answer.text
    with acme.serving():
        assert db.session.scalars(select(Sso)).all() == []


def test_an_issuer_that_is_somebody_else_is_refused(acme, provider):
    provider.metadata = {"issuer": "https://accounts.evil.test"}

    answer = set_up(acme, provider.issuer)

    assert answer.status_code == 422
    assert "https://accounts.evil.test" in answer.text


def test_a_provider_that_is_away_is_said_so(acme, visitor):
    port = free_port()
    with serving(Provider(port), port) as provider:
        set_up(acme, provider.issuer)

    answer = visitor.get("/login/sso/acme")

    assert answer.status_code == 502
    assert "answer" in answer.text


def test_a_provider_that_became_another_is_refused(sso, visitor):
    sso.metadata = {"issuer": "https://accounts.evil.test"}

    assert visitor.get("/login/sso/acme").status_code == 502


def test_new_keys_count_at_once(sso, visitor):
    from joserfc.jwk import RSAKey

    enter(visitor)
    sso.key = RSAKey.generate_key(2048, {"kid": "one"})

    assert enter(visitor.application.test_client()).location == "/t/acme/"


def test_a_refusal_at_the_provider_leads_back_to_the_log_in(sso, visitor):
    state = query_of(begin(visitor))["state"]

    answer = visitor.get(
        "/login/sso/callback", query_string={"state": state, "error": "access_denied"}
    )

    assert answer.location == "/login"


def test_a_workspace_without_one_and_none_at_all_look_the_same(acme, visitor):
    known, unknown = visitor.get("/login/sso/acme"), visitor.get("/login/sso/nosuch")

    assert known.status_code == unknown.status_code == 404
    assert same(known.text) == same(unknown.text)
    pages = [visitor.get(f"/login/sso?workspace={slug}").text for slug in ("acme", "nosuch")]
    assert same(pages[0]) == same(pages[1].replace("nosuch", "acme"))


def same(page):
    return re.sub(r"[0-9a-f]{32}|\bI[jm][\w.-]{60,}", "X", page)


def test_what_was_asked_is_forgotten(app, sso, visitor):
    begin(visitor)
    enter(visitor)

    with app.app_context():
        assert len(db.session.scalars(select(Ceremony)).all()) == 1


# --- The way into our own network -----------------------------------------------------------------

INSIDE = [
    "https://127.0.0.1/",
    "https://localhost/",
    "https://10.0.0.1/",
    "https://192.168.1.1/",
    "https://169.254.169.254/",
    "https://[::1]/",
    "https://[fd00::1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://0.0.0.0/",
    "https://100.64.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
]


@pytest.mark.parametrize("url", INSIDE)
def test_production_asks_nobody_in_our_own_network(make_app, acme, url):
    app = make_app(**PRODUCTION | {"encryption_keys": [secrets_key()]})

    with app.app_context(), pytest.raises(ProviderRefused, match=r"isn't public|can't be found"):
        fetching.ask("GET", url)


def test_production_asks_over_https_only(make_app, acme):
    app = make_app(**PRODUCTION | {"encryption_keys": [secrets_key()]})

    with app.app_context(), pytest.raises(ProviderRefused, match="begins with https"):
        fetching.ask("GET", "http://accounts.example/")


def secrets_key():
    import base64

    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def test_redirects_are_not_followed(app, sso, visitor):
    """An address outside could lead inside."""
    sso.metadata = {"jwks_uri": f"{sso.issuer}/authorize?redirect_uri=http://localhost:1&state=x"}

    assert enter(visitor).status_code == 502
