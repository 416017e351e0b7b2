"""Where the passwords of targets come from: derived, from the environment, from AWS."""

import pytest

from app.errors import Refused
from app.stages.hardened.catalog import passwords
from app.stages.hardened.catalog.drivers import engine_url, owner_url
from tests.hardened.catalog.test_api import silo

ONE, OTHER = "1" * 32, "2" * 32


def test_a_derived_password_is_the_same_each_time_and_nobody_elses(make_app):
    with make_app(features_silo_secret=ONE).app_context():
        ref = passwords.new_ref("features")
        first = passwords.password_of(silo(secret_ref=ref))

        assert passwords.password_of(silo(secret_ref=ref)) == first
        assert ONE not in ref
        others = {
            first,
            passwords.password_of(silo(secret_ref=ref), "owner"),
            passwords.password_of(silo(secret_ref=ref, database="silo_other")),
            passwords.password_of(silo(secret_ref=passwords.next_ref(silo(secret_ref=ref)))),
        }
    assert len(others) == 4


def test_a_service_has_its_own_secret_and_no_other(make_app):
    urls = {f"{name}_url": "http://127.0.0.1:9" for name in ("auth", "billing", "analytics")}
    given = {"redis_url": "redis://127.0.0.1:9/0", "database_url": "sqlite://"} | urls
    with make_app(features_silo_secret=ONE).app_context():
        target = silo(secret_ref=passwords.new_ref("features"))
        made = passwords.password_of(target)

    with make_app(serves="features", silo_secret=ONE, **given).app_context():
        assert passwords.password_of(target) == made
    with (
        make_app(serves="features", silo_secret=OTHER, **given).app_context(),
        pytest.raises(
            passwords.NoSecret, match="comes from a SILO_SECRET that isn't here"
        ) as error,
    ):
        passwords.password_of(target)
    assert "SILO_SECRET must hold" in error.value.hint


def test_an_old_secret_is_found_while_a_new_one_is_first(make_app):
    with make_app(features_silo_secret=ONE).app_context():
        old = silo(secret_ref=passwords.new_ref("features"))
        before = passwords.password_of(old)
    with make_app(features_silo_secret=f"{OTHER},{ONE}").app_context():
        assert passwords.password_of(old) == before
        new = passwords.next_ref(old)

    assert new.rpartition(":")[2] == "2"
    assert new.split(":")[1] != old.secret_ref.split(":")[1]


def test_a_weak_secret_is_refused_at_start(make_app):
    with pytest.raises(SystemExit, match="FEATURES_SILO_SECRET: secret 1 has 3 characters"):
        make_app(features_silo_secret="abc")


def test_the_environment_holds_two_passwords(app, monkeypatch):
    monkeypatch.setenv("ACME", "works")
    monkeypatch.setenv("ACME_OWNER", "owns/all")
    with app.app_context():
        assert "silo_acme:works@db.example:5432/silo_acme?" in engine_url(silo())
        assert "silo_acme_owner:owns%2Fall@db.example" in owner_url(silo())
    monkeypatch.delenv("ACME_OWNER")
    with app.app_context(), pytest.raises(Refused) as error:
        owner_url(silo())
    assert error.value.hint == "Set ACME_OWNER."


def test_secrets_manager_is_asked(app, monkeypatch):
    from moto import mock_aws

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws(), app.app_context():
        client = passwords.secrets_manager("eu-central-1")
        kept = '{"password": "works", "owner_password": "owns"}'
        arn = client.create_secret(Name="silo-acme", SecretString=kept)["ARN"]
        target = silo(secret_ref=f"aws-secretsmanager:{arn}")

        assert passwords.password_of(target) == "works"
        assert passwords.password_of(target, "owner") == "owns"
        with pytest.raises(passwords.NoSecret, match="doesn't tell the password of “silo-acme”"):
            passwords.password_of(silo(secret_ref=f"aws-secretsmanager:{arn}x"))


@pytest.mark.parametrize("ref", ["", "plain", "vault:somewhere", "env:"])
def test_a_reference_that_nothing_can_follow_is_named(app, ref):
    with app.app_context(), pytest.raises(passwords.NoSecret) as error:
        passwords.password_of(silo(secret_ref=ref))
    assert error.value.hint.startswith("It must begin with derived:, env:")
