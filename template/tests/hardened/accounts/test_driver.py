"""Reaching a database in a tenant's account: by its own role, to its own secret, no further."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.errors import Refused
from app.stages.hardened.accounts import sessions
from app.stages.hardened.accounts.errors import AccountTrouble
from app.stages.hardened.accounts.sessions import Keys, Role, Sessions, assume
from app.stages.hardened.catalog.drivers import NoDriver, engine_url, owner_url
from app.stages.hardened.catalog.places import Target
from tests.hardened.accounts.conftest import REGION
from tests.hardened.accounts.made import make_target

pytestmark = pytest.mark.processes
HELD = {"host": "db.acme.test", "port": 5433, "password": "works", "owner_password": "owns/all"}


@pytest.fixture
def here(make_app, aws):
    with make_app().app_context():
        yield


def test_address_and_passwords_are_those_in_the_account(here):
    target = make_target("acme", HELD)

    assert engine_url(target).startswith(
        "postgresql+psycopg://silo_acme:works@db.acme.test:5433/silo_acme?"
    )
    assert owner_url(target).startswith(
        "postgresql+psycopg://silo_acme_owner:owns%2Fall@db.acme.test:5433/silo_acme?"
    )
    assert "sslmode=require" in engine_url(target)


def test_a_password_that_was_changed_there_is_found(here):
    target = make_target("acme", HELD)
    assert ":works@" in engine_url(target)
    arn = target.secret_ref.removeprefix("aws-secretsmanager:")
    role = Role(target.details["role_arn"], target.details["external_id"], REGION)
    client = sessions.client("secretsmanager", REGION, assume(role, arn))

    client.put_secret_value(SecretId=arn, SecretString=json.dumps(HELD | {"password": "new"}))

    assert ":new@" in engine_url(target)


def test_keys_of_one_tenants_account_open_no_secret_of_anothers(here):
    acme, initech = make_target("acme", HELD), make_target("initech", HELD)
    arn = initech.secret_ref.removeprefix("aws-secretsmanager:")
    role = Role(acme.details["role_arn"], acme.details["external_id"], REGION)

    keys = assume(role, arn)  # Even where the session asks for it.
    client = sessions.client("secretsmanager", REGION, keys)

    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_secret_value(SecretId=arn)
    assert client.list_secrets()["SecretList"][0]["ARN"] != arn


def test_a_target_of_two_accounts_is_refused_before_anybody_is_asked(here):
    acme, initech = make_target("acme", HELD), make_target("initech", HELD)

    with pytest.raises(NoDriver, match="and a secret of account"):
        engine_url(replace(acme, secret_ref=initech.secret_ref))


def test_what_is_asked_of_sts_is_short_narrow_and_names_the_tenant(here, monkeypatch):
    target = make_target("acme", HELD)
    asked = []
    make = sessions.client

    def recording(service, *given):
        client = make(service, *given)
        client.meta.events.register(
            "provide-client-params.sts.AssumeRole", lambda params, **_: asked.append(params)
        )
        return client

    monkeypatch.setattr(sessions, "client", recording)
    engine_url(target)

    (said,) = asked
    assert said["ExternalId"] == target.details["external_id"]
    assert said["DurationSeconds"] == 900
    read, unlock = json.loads(said["Policy"])["Statement"]
    assert read["Action"] == "secretsmanager:GetSecretValue"
    assert read["Resource"] == target.secret_ref.removeprefix("aws-secretsmanager:")
    assert unlock["Action"] == "kms:Decrypt"


def test_a_session_is_kept_until_shortly_before_its_end(monkeypatch):
    taken = []
    lasting = [timedelta(minutes=1), timedelta(minutes=15)]

    def take(_role, secret):
        taken.append(secret)
        until = datetime.now(UTC) + lasting[min(len(taken), 2) - 1]
        return Keys(str(len(taken)), "", "", until)

    monkeypatch.setattr(sessions, "assume", take)
    role, ours = Role("arn", "id", REGION), Sessions()

    used = [ours.keys_for(role, "secret").id for _ in range(4)]

    assert used == ["1", "2", "2", "2"]
    assert ours.keys_for(role, "other").id == "3"  # What is opened for one secret reads no other.


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ("no json", "isn't JSON"),
        ("[]", "isn't JSON"),
        ({"port": 5432, "password": "x"}, "has no host"),
        (HELD | {"password": ""}, "has no password"),
        (HELD | {"port": "many"}, "no number as its port"),
    ],
)
def test_a_secret_that_is_no_use_is_named(here, held, said):
    target = make_target("acme", held)

    with pytest.raises(AccountTrouble, match=said):
        engine_url(target)


def test_a_secret_that_is_gone_is_named(here):
    target = make_target("acme", HELD)
    gone = replace(target, secret_ref=f"{target.secret_ref}-gone")

    with pytest.raises(AccountTrouble, match="The secret of “acme” can't be read") as error:
        engine_url(gone)
    assert "its account's role must be allowed" in error.value.hint


@pytest.mark.parametrize(
    ("details", "said"),
    [
        ({}, "doesn't say its role_arn, external_id"),
        ({"role_arn": "arn:aws:iam::123456789012:role/x"}, "doesn't say its external_id"),
        ({"role_arn": "some role", "external_id": "x" * 16}, "must name a role's ARN"),
        (
            {"role_arn": "arn:aws:iam::123456789012:role/x", "external_id": "short"},
            "can be guessed",
        ),
    ],
)
def test_a_target_that_says_too_little_is_refused(here, details, said):
    secret = "aws-secretsmanager:arn:aws:secretsmanager:eu-central-1:123456789012:secret:x"
    target = Target("x", "features", "account", "", 0, "d", "r", "o", secret, details)

    with pytest.raises(Refused, match=said):
        engine_url(target)


def test_an_sts_that_does_not_answer_is_named(here, monkeypatch):
    target = make_target("acme", HELD)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    with pytest.raises(AccountTrouble, match="can't be taken"):
        engine_url(target)
