"""What auth didn't sign for this credential, for us, and lately, makes nobody anybody."""

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from app.stages.services import identity_issuer, identity_store, identity_token, keys
from app.stages.services.identity_token import Credential
from tests.services.identity.test_who import IDENTIFY, PROJECTS


@pytest.fixture
def forged(system, ada, redis) -> Callable[[str], int]:
    """What features answers to Ada's session once another token lies in Redis; auth is away."""
    assert ada.status() == 200
    (key,) = redis.keys("identity:*")

    def put(token: str | bytes) -> int:
        redis.set(key, token)
        system["features"].app.extensions["identities"].known.clear()
        system["auth"].stop()
        return ada.status()

    return put


def claims_of(system, person, **other: object) -> dict[str, object]:
    """The claims of a good token; and what is wrong with them."""
    with system["auth"].app.test_request_context():
        asked = asked_by(person)
        who = identity_issuer.look_up(*asked)
        assert who
        token = identity_token.issue(asked, who, {}, time.time())
        return keys.verify(token, "auth", "features") | other


def asked_by(person) -> Credential:
    return Credential("session", person.seat.session_id, "acme")


def signed(system, service: str, claims: dict[str, object]) -> str:
    with system[service].app.app_context():
        key = keys.newest(keys.own_keys())
        header = {"alg": keys.ALGORITHM, "kid": key.name}
        return jwt.encode(header, claims, key.key, algorithms=[keys.ALGORITHM])


def test_a_good_token_in_redis_is_believed(system, ada, forged):
    assert forged(signed(system, "auth", claims_of(system, ada))) == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"aud": "billing"},
        {"iss": "billing"},
        {"exp": 1},
        {"sid": "0" * 64},
        {"slug": "initech"},
        {"sub": "nobody"},
        {"at": None},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_token_with_a_wrong_claim_is_refused(system, ada, forged, wrong):
    assert forged(signed(system, "auth", claims_of(system, ada, **wrong))) == 503


def test_a_token_that_another_service_signed_is_refused(system, ada, forged):
    assert forged(signed(system, "billing", claims_of(system, ada))) == 503


def test_a_token_with_no_algorithm_is_refused(system, ada, forged):
    header, claims = ({"alg": "none"}, claims_of(system, ada))
    parts = [urlsafe_b64encode(json.dumps(part).encode()) for part in (header, claims)]
    token = b".".join([*parts, b""]).replace(b"=", b"")

    assert forged(token) == 503


def test_the_public_key_as_a_shared_secret_is_refused(system, ada, forged):
    with system["auth"].app.app_context():
        key = keys.newest(keys.own_keys())
    secret = OctKey.import_key(key.published()["x"].encode())
    header = {"alg": "HS256", "kid": key.name}
    token = jwt.encode(header, claims_of(system, ada), secret, algorithms=["HS256"])

    assert forged(token) == 503


@pytest.mark.parametrize("token", ["", "x", b"\xff\xfe", "a.b.c"])
def test_what_is_no_token_is_refused(forged, token):
    assert forged(token) == 503


def test_a_refused_token_is_replaced_by_a_good_one(system, ada, redis):
    ada.status()
    (key,) = redis.keys("identity:*")
    redis.set(key, "x.y.z")
    system["features"].app.extensions["identities"].known.clear()

    assert ada.status() == 200
    assert redis.get(key) != b"x.y.z"


def test_while_auth_is_away_people_go_on_until_their_token_ends(system, ada, bill, clock):
    assert ada.status() == 200
    system["auth"].stop()

    clock.shift(300)
    assert ada.status() == 200
    page = bill.at("features").client.get("/t/initech/projects/")
    assert page.status_code == 503
    clock.shift(310)
    assert ada.status() == 503


def test_auth_is_asked_again_after_a_minute(system, ada, clock):
    ada.status()
    system["auth"].asked.clear()

    clock.shift(59)
    ada.status()
    assert system["auth"].asked == []
    clock.shift(2)
    ada.status()
    assert system["auth"].asked == [IDENTIFY]


def test_a_key_is_rotated_while_people_work(system, ada, max_, monkeypatch):
    monkeypatch.setattr("app.stages.services.published.NOT_AGAIN_WITHIN", 0)
    assert ada.status() == 200
    app = system["auth"].app
    with app.app_context():
        old = keys.own_keys()
        app.extensions["signing_keys"] = [*keys.read([keys.new_key()]), *old]

    try:
        assert ada.status() == 200
        assert max_.status(PROJECTS) == 200
    finally:
        app.extensions["signing_keys"] = old


def test_the_memory_is_bounded():
    memory = identity_store.Memory(most=2)
    for number in range(3):
        memory.put(Credential("session", str(number), None), None, number)

    assert [memory.get(Credential("session", str(n), None))[1] for n in range(3)] == [0, 1, 2]
    assert len(memory.known) == 2
