"""Where the services' pools are: by the settings, by oneself, by a running `flask dev`."""

import json
from pathlib import Path

import pytest

from app.errors import Refused
from app.stages.hardened import stores
from app.stages.services.settings import SERVICES

NEIGHBOURS = {f"{name}_url": "http://127.0.0.1:9" for name in SERVICES}


def note(app, **facts: object) -> None:
    (Path(app.instance_path) / stores.NOTE).write_text(json.dumps(facts))


def test_the_settings_say_it_by_name(make_app):
    app = make_app(
        billing_database_url="postgresql://billing@db/billing",
        billing_migrations_database_url="postgresql://billing_owner@db/billing",
    )

    found = stores.store_of(app, "billing")

    assert found.url == "postgresql+psycopg://billing@db/billing"
    assert found.owner_url == "postgresql+psycopg://billing_owner@db/billing"
    assert found.packages == ("shared", "billing")


def test_one_process_for_everything_has_everything(make_app):
    url = "postgresql+psycopg://app@db/pooled"
    app = make_app(database_url=url, migrations_database_url="postgresql+psycopg://owner@db/pooled")

    assert {store.url for store in stores.stores(app).values()} == {url}
    assert stores.store_of(app, "auth").owner_url == "postgresql+psycopg://owner@db/pooled"


def test_a_service_knows_its_own_pool_and_no_other(make_app):
    app = make_app(serves="auth", redis_url="redis://127.0.0.1:9/0", **NEIGHBOURS)

    assert stores.store_of(app, "auth").service == "auth"
    with pytest.raises(stores.NoStore, match="where the rows of features are") as refused:
        stores.store_of(app, "features")
    assert "Set FEATURES_DATABASE_URL and FEATURES_MIGRATIONS_DATABASE_URL" in refused.value.hint


def test_a_running_flask_dev_has_written_it_down(make_app):
    app = make_app(serves="auth", redis_url="redis://127.0.0.1:9/0", **NEIGHBOURS)
    url = "postgresql+psycopg://{}@127.0.0.1:5433/features"
    note(
        app,
        databases={"features": url.format("features")},
        owners={"features": url.format("features_owner")},
    )

    found = stores.store_of(app, "features")

    assert (found.url, found.owner_url) == (url.format("features"), url.format("features_owner"))
    assert stores.admin_url(app) == "postgresql+psycopg://postgres@127.0.0.1:5433/postgres"


def test_a_note_that_cant_be_read_is_none(make_app):
    app = make_app(serves="auth", redis_url="redis://127.0.0.1:9/0", **NEIGHBOURS)
    (Path(app.instance_path) / stores.NOTE).write_text("{")

    with pytest.raises(Refused):
        stores.store_of(app, "features")
    assert stores.admin_url(app) == ""


def test_a_password_is_never_shown(make_app):
    app = make_app(billing_database_url="postgresql://billing:hunter2@db/billing")

    found = stores.store_of(app, "billing")

    assert "hunter2" not in repr(found)
    assert "hunter2" not in found.shown


def test_an_url_that_nobody_can_read_is_refused_at_start(make_app):
    with pytest.raises(SystemExit, match="SILO_ADMIN_DATABASE_URL: must be a URL"):
        make_app(silo_admin_database_url="db.example")
