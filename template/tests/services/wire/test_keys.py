"""What a service signs, its neighbours can verify; nobody else can say anything in its name."""

import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import time_machine
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey

from app.errors import Unavailable
from app.settings import BadSettings
from app.stages.services import keys, published
from app.stages.services.keys import BadToken, NoKey, sign, verify

HELLO = {"hello": "world"}
OLD, NEW = keys.new_key(), keys.new_key()


def name_of(text: str) -> str:
    (key,) = keys.read([text])
    return key.name


@pytest.fixture
def auth(service):
    return service("auth", signing_keys=[OLD])


@pytest.fixture
def billing(service, auth, answering):
    """Billing, which can fetch auth's keys."""
    return service("billing", auth_url=answering(auth))


def signed_by(app, audience="billing", seconds=60, claims=HELLO) -> str:
    with app.app_context():
        return sign(dict(claims), audience, seconds)


def verified_by(app, token, issuer="auth", audience="billing"):
    with app.app_context():
        return verify(token, issuer, audience)


def test_a_neighbour_verifies_what_was_signed(auth, billing):
    claims = verified_by(billing, signed_by(auth))

    assert claims["hello"] == "world"
    assert (claims["iss"], claims["aud"]) == ("auth", "billing")
    assert claims["exp"] - claims["iat"] == 60


def test_a_token_may_be_for_several(auth, billing):
    assert verified_by(billing, signed_by(auth, ["billing", "features"]))["hello"] == "world"


def test_claims_of_the_caller_never_replace_the_standard_ones(auth, billing):
    token = signed_by(auth, claims={"iss": "features", "exp": 9_999_999_999})

    claims = verified_by(billing, token)

    assert claims["iss"] == "auth"
    assert claims["exp"] < time.time() + 100


@pytest.mark.parametrize(
    ("issuer", "audience", "words"),
    [
        ("auth", "features", "is for 'billing', not for 'features'"),
        ("billing", "billing", "which billing doesn't publish"),
        ("mallory", "billing", "Nobody here knows an issuer 'mallory'"),
    ],
)
def test_a_token_for_others_or_from_others_is_refused(auth, billing, issuer, audience, words):
    with pytest.raises(BadToken, match=words):
        verified_by(billing, signed_by(auth), issuer, audience)


def test_a_neighbours_key_speaks_for_that_neighbour_only(auth, billing):
    """Auth signs properly, and claims to be the product."""
    with auth.app_context():
        key = keys.newest(keys.own_keys())
        claims = {"iss": "features", "aud": "billing", "exp": int(time.time()) + 60}
        header = {"alg": "Ed25519", "kid": key.name}
        token = jwt.encode(header, claims, key.key, algorithms=["Ed25519"])

    with pytest.raises(BadToken, match="is from 'features', and should be from 'auth'"):
        verified_by(billing, token)


def test_a_token_expires(auth, billing):
    token = signed_by(auth, seconds=30)

    with (
        time_machine.travel(time.time() + 40),
        pytest.raises(BadToken, match="This token has expired"),
    ):
        verified_by(billing, token)


def forged_in_auths_name() -> str:
    claims = {"iss": "auth", "aud": "billing", "exp": int(time.time()) + 60}
    header = {"alg": "Ed25519", "kid": name_of(OLD)}
    return jwt.encode(header, claims, OKPKey.generate_key("Ed25519"), algorithms=["Ed25519"])


def signed_with_the_public_key() -> str:
    """The oldest trick: what everybody may read is taken for a shared secret."""
    claims = {"iss": "auth", "aud": "billing", "exp": int(time.time()) + 60}
    (key,) = keys.read([OLD])
    secret = OctKey.import_key(key.published()["x"])
    return jwt.encode({"alg": "HS256", "kid": key.name}, claims, secret, algorithms=["HS256"])


def unsigned() -> str:
    return "eyJhbGciOiJub25lIiwia2lkIjoieCJ9.eyJpc3MiOiJhdXRoIn0."


@pytest.mark.parametrize(
    "forge",
    [forged_in_auths_name, signed_with_the_public_key, unsigned, str, "a.b.c".lower, "é.é".lower],
    ids=["other key", "public key as secret", "unsigned", "empty", "no token", "not ASCII"],
)
def test_what_auth_did_not_sign_proves_nothing(billing, forge):
    with pytest.raises(BadToken):
        verified_by(billing, forge())


def test_without_an_end_a_token_proves_nothing(auth, billing):
    with auth.app_context():
        key = keys.newest(keys.own_keys())
        header = {"alg": "Ed25519", "kid": key.name}
        claims = {"iss": "auth", "aud": "billing"}
        token = jwt.encode(header, claims, key.key, algorithms=["Ed25519"])

    with pytest.raises(BadToken, match="lacks a claim"):
        verified_by(billing, token)


def test_both_keys_verify_while_they_rotate(service, answering):
    before = service("auth", signing_keys=[OLD])
    during = service("auth", signing_keys=[NEW, OLD])
    billing = service("billing", auth_url=answering(during))

    assert verified_by(billing, signed_by(before))
    assert verified_by(billing, signed_by(during))


def test_a_key_that_is_new_is_fetched_but_not_for_each_forgery(service, billing, auth):
    verified_by(billing, signed_by(auth))
    auth.extensions["signing_keys"] = keys.read([NEW, OLD])
    token = signed_by(auth)

    with pytest.raises(BadToken, match="which auth doesn't publish"):
        verified_by(billing, token)  # It was asked a moment ago.
    billing.extensions["published_keys"]["auth"].tried_at -= 60

    assert verified_by(billing, token)


def test_a_key_that_was_taken_out_is_refused_in_the_end(billing, auth):
    token = signed_by(auth)
    verified_by(billing, token)
    auth.extensions["signing_keys"] = keys.read([NEW])
    known = billing.extensions["published_keys"]["auth"]
    known.fetched_at -= 1000
    known.tried_at -= 1000

    with pytest.raises(BadToken, match="doesn't publish, or no longer"):
        verified_by(billing, token)


def test_what_is_known_is_enough_while_the_issuer_is_away(service, auth, billing):
    token = signed_by(auth)
    verified_by(billing, token)
    known = billing.extensions["published_keys"]["auth"]
    known.fetched_at -= 1000
    known.tried_at -= 1000
    billing.extensions["pools"].clear()
    object.__setattr__(billing.config["SETTINGS"], "auth_url", "http://127.0.0.1:1")

    assert verified_by(billing, token)


def test_an_issuer_that_hangs_holds_up_nobody_whose_key_is_known(auth, billing, monkeypatch):
    """One looks whether there are newer keys; the others don't stand in a queue behind it."""
    token = signed_by(auth)
    verified_by(billing, token)
    known = billing.extensions["published_keys"]["auth"]
    known.fetched_at -= 1000
    known.tried_at -= 1000
    asked = []

    def hang(*_):
        asked.append(time.monotonic())
        time.sleep(1)
        raise Unavailable("It hangs.")

    monkeypatch.setattr(published, "fetch", hang)
    monkeypatch.setattr(published, "NOT_AGAIN_WITHIN", 0.5)  # Less than it hangs.
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda _: verified_by(billing, token), range(8)))

    assert [one["hello"] for one in claims] == ["world"] * 8
    assert len(asked) == 1
    assert time.monotonic() - began < 2
    assert verified_by(billing, token)
    assert len(asked) == 1


def test_an_issuer_that_was_never_reached_is_unavailable(service, auth):
    alone = service("billing")

    with pytest.raises(Unavailable, match="The keys of auth can't be fetched"):
        verified_by(alone, signed_by(auth))


def test_a_key_may_have_a_last_day(service, billing, auth):
    token = signed_by(auth)
    auth.extensions["signing_keys"] = keys.read([f"{OLD}@2027-01-31"])

    assert verified_by(billing, token)
    with (
        time_machine.travel("2027-02-01"),
        pytest.raises(BadToken, match=r"expired on 2027-01-31.*flask keys new"),
    ):
        verified_by(billing, token)


def test_the_next_key_signs_when_the_first_has_expired(service):
    app = service("auth", signing_keys=[f"{OLD}@2001-01-01", NEW])

    header = jwt.decode(signed_by(app), keys.read([NEW])[0].key, algorithms=["Ed25519"]).header

    assert header["kid"] == name_of(NEW)
    listed = app.test_client().get("/.well-known/jwks.json").json["keys"]
    assert [key["kid"] for key in listed] == [name_of(NEW)]


def test_a_service_whose_keys_have_all_expired_does_not_start(service):
    with pytest.raises(BadSettings, match=r"Every key in SIGNING_KEYS has expired .* flask keys"):
        service("auth", signing_keys=[f"{OLD}@2001-01-01"])


@pytest.mark.parametrize("text", ["short", f"{'A' * 43}@soon", "é", "A" * 44])
def test_what_is_no_key_is_refused_by_its_place(service, text):
    with pytest.raises(BadSettings, match="key 2 isn't one"):
        service("auth", signing_keys=[NEW, text])


def test_a_key_that_expires_while_it_is_used_signs_no_more(service):
    app = service("auth", signing_keys=[f"{OLD}@2099-01-01"])

    with (
        time_machine.travel("2099-01-02"),
        pytest.raises(NoKey, match="Every key in SIGNING_KEYS has expired"),
    ):
        signed_by(app)


def test_only_public_halves_are_published(auth):
    (key,) = auth.test_client().get("/.well-known/jwks.json").json["keys"]

    assert key.keys() == {"kty", "crv", "x", "kid", "use", "alg"}
    assert OLD not in str(key)


def test_development_makes_a_key_for_its_owners_eyes(service):
    app = service("analytics")

    signed_by(app)

    path = Path(app.instance_path) / "signing-key-analytics.txt"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.glob("signing-key-*")] == [path.name]
    first = signed_by(app)
    app.extensions["signing_keys"] = []
    assert jwt.decode(first, keys.read([path.read_text().strip()])[0].key, ["Ed25519"])


def test_the_command_makes_a_key_and_shows_which_one_signs(service):
    app = service("auth", signing_keys=[NEW, OLD])
    run = app.test_cli_runner().invoke

    made = run(args=["keys", "new"])
    shown = run(args=["keys", "show"])

    assert len(made.stdout.strip()) == 43
    assert "Move it to the front" in made.stderr
    assert f"{name_of(NEW)}  signs" in shown.output
    assert f"{name_of(OLD)}  verifies" in shown.output
    assert NEW not in shown.output
    assert "Print a new private key" in run(args=["keys", "new", "--help"]).output
