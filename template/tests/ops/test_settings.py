"""Settings: a bad or missing one is refused by its name, before anything starts."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import REQUIRED, BadSettings, Settings, load, misspelt
from tests.world import PRODUCTION

ROOT = Path(__file__).parents[2]
SAFE = {name.upper(): value for name, value in PRODUCTION.items()} | {
    "ENCRYPTION_KEYS": ",".join(PRODUCTION["encryption_keys"])
}


@pytest.fixture(autouse=True)
def an_empty_environment(monkeypatch, tmp_path):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def environment(monkeypatch):
    def change(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return change


def test_production_starts_with_what_it_needs(environment):
    environment(**SAFE)

    assert load().in_production


def test_nothing_set_is_production_and_says_all_that_is_missing():
    """A server that was set up in a hurry must not run with the key that everybody knows."""
    with pytest.raises(BadSettings) as refusal:
        load()

    for name in REQUIRED:
        assert f"{name.upper()} must be set in production" in str(refusal.value)


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("value", ["", None])
def test_production_is_refused_without(environment, monkeypatch, name, value):
    environment(**SAFE)
    if value is None:
        monkeypatch.delenv(name.upper())
    else:
        environment(**{name.upper(): value})

    with pytest.raises(BadSettings, match=f"{name.upper()} must be set in production"):
        load()


def test_the_development_key_is_refused_in_production(environment):
    environment(**SAFE | {"SECRET_KEY": Settings.model_fields["secret_key"].default})

    with pytest.raises(BadSettings, match="SECRET_KEY must be set"):
        load()


def test_the_development_key_verifies_nothing_in_production(environment):
    environment(**SAFE | {"SECRET_KEY_FALLBACKS": Settings.model_fields["secret_key"].default})

    with pytest.raises(BadSettings, match="SECRET_KEY_FALLBACKS holds the development key"):
        load()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("APP_ENV", "prod", "'development', 'testing' or 'production'"),
        ("SECRET_KEY", "short", "at least 16 characters"),
        ("SECRET_KEY_FALLBACKS", '["unclosed', "separated by commas"),
        ("ENCRYPTION_KEYS", "no-key", "key 1 isn't one"),
        ("ENCRYPTION_KEYS", "A" * 43 + "=,tail", "key 2 isn't one"),
        ("PUBLIC_URL", "app.example.com", "whole URL"),
        ("PUBLIC_URL", "ftp://app.example.com", "whole URL"),
        ("PUBLIC_URL", "https://example.com/app", "must end with the host"),
        ("TENANT_DOMAIN", "https://example.com", "bare host"),
        ("TENANT_DOMAIN", ".example.com", "bare host"),
        ("TENANT_DOMAIN", "example.com:8000", "bare host"),
        ("TRUSTED_PROXIES", "-1", "greater than or equal to 0"),
        ("TRUSTED_PROXIES", "one", "valid integer"),
        ("DATABASE_URL", "app.db", "must be a URL such as"),
        ("DATABASE_URL", "mysql://localhost/app", "must be SQLite or PostgreSQL, not mysql"),
        ("AUTH_DATABASE_URL", "nonsense", "must be a URL such as"),
        ("BILLING_DATABASE_URL", "nonsense", "must be a URL such as"),
        ("ANALYTICS_DATABASE_URL", "nonsense", "must be a URL such as"),
        ("FEATURES_DATABASE_URL", "nonsense", "must be a URL such as"),
        ("MIGRATIONS_DATABASE_URL", "nonsense", "must be a URL such as"),
        ("REDIS_URL", "localhost:6379", "redis://"),
        ("WORKER", "threads", "'embedded' or 'separate'"),
        ("SMTP_URL", "mail.example.com", "smtp:// or smtps://"),
        ("SMTP_URL", "smtp://", "smtp:// or smtps://"),
        ("MAIL_FROM", "Acme", "must be an address"),
        ("STRIPE_API_URL", "stripe", "https://"),
        ("LOG_LEVEL", "loud", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("THREADS", "0", "greater than or equal to 1"),
        ("WEB_CONCURRENCY", "many", "valid integer"),
        ("DRAIN_SECONDS", "31", "less than or equal to 30"),
    ],
)
def test_a_bad_value_is_refused_by_name(environment, name, value, words):
    environment(**{"APP_ENV": "development", name: value})

    with pytest.raises(BadSettings) as refusal:
        load()

    assert f"{name}: " in str(refusal.value)
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"STRIPE_SECRET_KEY": "sk_test_1"}, "STRIPE_WEBHOOK_SECRET must be set"),
        (
            {"TENANT_DOMAIN": "example.com", "PUBLIC_URL": "https://other.com"},
            "PUBLIC_URL must be at TENANT_DOMAIN",
        ),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(environment, values, words):
    environment(APP_ENV="development", **values)

    with pytest.raises(BadSettings, match=words):
        load()


def test_every_setting_can_be_wrong_or_is_free_text():
    """A new setting belongs into the table above, or into this list."""
    tested = test_a_bad_value_is_refused_by_name.pytestmark[0].args[1]
    free_text = {"STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"}

    assert {case[0] for case in tested} | free_text == {
        name.upper() for name in Settings.model_fields
    }


def test_all_that_is_wrong_is_said_at_once_and_no_secret_with_it(environment):
    environment(**SAFE | {"DATABASE_URL": "mysql://ada:hunter2@db/app", "THREADS": "x"})
    environment(SECRET_KEY="hunter2", ENCRYPTION_KEYS="hunter2")

    with pytest.raises(BadSettings) as refusal:
        load()

    assert str(refusal.value).count("\n") == 4
    assert "hunter2" not in str(refusal.value)


@pytest.mark.processes
def test_gunicorn_and_flask_say_it_without_a_traceback(tmp_path):
    start = subprocess.run(
        [sys.executable, "-c", "import app; app.create_app()"],
        cwd=ROOT,
        env={"PATH": "", "THREADS": "x"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert start.returncode == 1
    assert "THREADS: " in start.stderr
    assert "Traceback" not in start.stderr


@pytest.mark.parametrize("text", ["one,two", " one , two ", '["one", "two"]'])
def test_several_keys_are_separated_by_commas_or_json(environment, text):
    environment(APP_ENV="development", SECRET_KEY_FALLBACKS=text)

    assert load().secret_key_fallbacks == ["one", "two"]


@pytest.mark.parametrize("given", ["postgres://a@b/c", "postgresql://a@b/c"])
def test_postgresql_urls_as_platforms_write_them_use_psycopg(environment, given):
    environment(APP_ENV="development", DATABASE_URL=given)

    assert load().database_url == "postgresql+psycopg://a@b/c"


def test_a_dot_env_file_is_read_and_the_environment_wins(environment, tmp_path):
    (tmp_path / ".env").write_text("APP_ENV=development\nTHREADS=7\nLOG_LEVEL=ERROR\n")
    environment(LOG_LEVEL="DEBUG")

    settings = load()

    assert (settings.threads, settings.log_level) == (7, "DEBUG")


def test_the_tests_never_read_a_dot_env_file(tmp_path):
    """It may hold the keys that take real payments."""
    (tmp_path / ".env").write_text("STRIPE_SECRET_KEY=sk_live_1\nSTRIPE_WEBHOOK_SECRET=w\n")

    assert load(app_env="testing").stripe_secret_key == ""


@pytest.mark.parametrize(
    ("name", "meant"),
    [("DATABSE_URL", "DATABASE_URL"), ("SMPT_URL", "SMTP_URL"), ("LOGLEVEL", "LOG_LEVEL")],
)
def test_a_misspelt_setting_is_said(environment, capsys, name, meant):
    environment(**{"APP_ENV": "development", name: "x"})

    load()

    assert f"{name} is set, but nothing reads it. Did you mean {meant}?" in capsys.readouterr().err


def test_other_names_are_nobodys_business():
    names = ["PATH", "HOME", "TEST_DATABASE_URL", "PG_DATABASE_URL", "DATABASE_URL", "THREADS"]

    assert misspelt(dict.fromkeys(names, "x")) == {}


@pytest.mark.parametrize(
    ("option", "file"), [("--markdown", "docs/settings.md"), ("--env", ".env.example")]
)
def test_the_two_files_are_made_from_the_settings(app, option, file):
    made = app.test_cli_runner().invoke(args=["settings", option]).output

    assert (ROOT / file).read_text() == made, f"uv run flask settings {option} > {file}"


def test_flask_settings_hides_what_is_secret(make_app):
    app = make_app(
        secret_key="hunter2-hunter2-hunter2",
        smtp_url="smtp://ada:hunter2@mail",
        stripe_secret_key="hunter2",
        stripe_webhook_secret="hunter2",
    )

    shown = app.test_cli_runner().invoke(args=["settings"]).output

    assert "smtp://ada:***@mail" in shown
    assert "hunter2" not in shown


def test_the_owner_of_the_pooled_database_migrates_no_package_that_has_its_own():
    settings = load(
        app_env="testing",
        database_url="postgresql://app@host/pooled",
        migrations_database_url="postgresql://owner@host/pooled",
        auth_database_url="postgresql://auth@host/auth",
    )

    assert settings.migrations_url_of("billing") == "postgresql+psycopg://owner@host/pooled"
    assert settings.migrations_url_of("auth") == "postgresql+psycopg://auth@host/auth"
