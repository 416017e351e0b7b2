"""What alerts of this stage ask for is exported, and each says what to do.

That they call when they should is tested by `promtool`, in infra/tests/observability.
"""

import re
from datetime import timedelta

import psycopg
import pytest

from app.columns import new_id
from app.db import db, now
from app.stages.hardened.catalog.health import SiloAway
from app.stages.hardened.catalog.models import PlacementRow
from app.stages.hardened.catalog.pools import Pools
from app.stages.hardened.lifecycle.models import Operation
from app.stages.hardened.moving.models import Move
from app.stages.hardened.silos.models import Seen
from app.stages.hardened.walls import start
from app.tenancy import serving
from tests.browser import PROJECT
from tests.services.observe import promql
from tests.services.observe.reading import Scrape

PAGE = (PROJECT / "docs/hardened/alerts.md").read_text("utf-8")
RULES = list(promql.rules("hardened"))
AN_HOUR = timedelta(hours=1)


@pytest.fixture
def auth(make_service):
    return make_service("auth", throttle="1:1", throttle_address="1:1")


@pytest.fixture
def features(make_service):
    return make_service("features")


def write(app, *rows):
    with app.app_context(), serving(None):
        db.session.add_all(rows)
        db.session.commit()


def operation(kind, **more):
    texts = dict.fromkeys(("asked", "evidence"), "{}") | {"steps": "[]", "error": ""}
    whose = {"tenant_id": new_id(), "slug": "acme", "operator": "ada", "holder": ""}
    return Operation(
        **{"kind": kind, "state": "stopped", "doing": "", "done": 0, "total": 0}
        | texts
        | whose
        | more
    )


def move(**more):
    whose = {"tenant_id": new_id(), "slug": "acme", "service": "features", "operator": "ada"}
    return Move(**whose | {"source": "pool", "goal": "silo", "silo": "s"} | more)


# --- The names ------------------------------------------------------------------------------------


@pytest.fixture
def exported(auth, features):
    """Each series that is exported while everything is wrong, with its labels."""
    write(
        auth,
        operation("delete", created_at=now() - AN_HOUR),
        move(),
        Seen(
            place="s",
            service="features",
            tenant_id=new_id(),
            version="",
            problem="away",
            seen_at=now(),
        ),
        PlacementRow(tenant_id=new_id(), service="billing", target="elsewhere", epoch=1),
    )
    client = auth.test_client()
    client.post("/login", data={"email": "ada@acme.example", "password": "wrong"})
    for _ in range(3):
        client.get("/t/acme/settings")
    fail_to_connect(features)
    found = {}
    for sample in Scrape.of(auth).samples:
        found.setdefault(sample.name, set()).update(sample.labels)
    return found


def fail_to_connect(app):
    def refused():
        with Pools(app, most=1, at_once=1).servers.trying("db.internal:5432", str(new_id())):
            raise psycopg.OperationalError("connection refused")

    with pytest.raises(SiloAway):
        refused()


def test_every_series_and_label_that_is_asked_for_is_there(exported):
    missing = [
        f"{rule['alert']} asks for {name}{sorted(labels - exported.get(name, set()))}"
        for rule in RULES
        for name, labels in promql.asked(rule["expr"]).items()
        if name not in exported or not labels <= exported[name]
    ]

    assert missing == []


def test_the_page_lists_what_this_stage_adds(exported):
    listed = set(re.findall(r"^\| `([a-z_]+)`", PAGE, re.MULTILINE))
    of_the_services = set(
        re.findall(
            r"^\| `([a-z_]+)`",
            (PROJECT / "docs/observability.md").read_text("utf-8"),
            re.MULTILINE,
        )
    )
    ours = {re.sub(r"_(bucket|count|sum)$", "", name) for name in exported}

    assert listed == {
        name for name in ours - of_the_services if not name.startswith(("python_", "process_"))
    }


# --- The figures ----------------------------------------------------------------------------------


def test_an_operation_waits_from_the_moment_that_nobody_is_at_it(auth):
    write(
        auth,
        operation("delete", held_until=now() - AN_HOUR, created_at=now() - 2 * AN_HOUR),
        operation("export", held_until=now() + AN_HOUR, state="running"),
        operation("restore", state="done", created_at=now() - AN_HOUR),
    )

    scrape = Scrape.of(auth)

    assert scrape.values("tenant_operations_waiting_seconds", "kind") == {"delete"}
    assert 3600 <= scrape.sum("tenant_operations_waiting_seconds", kind="delete") < 3700


def test_a_move_is_as_old_as_its_present_half(auth):
    write(
        auth,
        move(state="moving", created_at=now() - AN_HOUR),
        move(state="soaking", created_at=now() - 3 * AN_HOUR, switched_at=now() - 2 * AN_HOUR),
        move(state="done", created_at=now() - 9 * AN_HOUR),
    )

    scrape = Scrape.of(auth)

    assert scrape.values("tenant_moves_open_seconds", "state") == {"moving", "soaking"}
    assert 3600 <= scrape.sum("tenant_moves_open_seconds", state="moving") < 3700
    assert 7200 <= scrape.sum("tenant_moves_open_seconds", state="soaking") < 7300


def test_a_silo_that_refuses_is_counted(features):
    before = Scrape.of(features).sum("silo_connections_failed_total", service="features")

    fail_to_connect(features)

    after = Scrape.of(features).sum("silo_connections_failed_total", service="features")
    assert after == before + 1


def test_open_walls_are_counted(auth, monkeypatch):
    assert Scrape.of(auth).sum("walls_open", service="auth") == 0

    monkeypatch.setattr(start, "findings", lambda: ["notes has no policy", "so has tags"])
    auth.extensions["walls_stood_at"] = -start.LOOKED_AT_EVERY

    assert Scrape.of(auth).sum("walls_open", service="auth") == 2


def test_where_there_is_no_catalog_nothing_is_said_of_operations(features):
    scrape = Scrape.of(features)

    assert scrape.sum("metrics_source_up", source="walls") == 1
    assert not scrape.values("metrics_source_up", "source") & {"operations", "moves"}


# --- The runbook ----------------------------------------------------------------------------------


@pytest.mark.parametrize("alert", RULES, ids=lambda alert: alert["alert"])
def test_each_alert_says_what_to_do(alert):
    page, _, anchor = alert["annotations"]["runbook_url"].partition("#")

    assert page == "docs/hardened/alerts.md"
    assert anchor == alert["alert"].lower()
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert {"summary", "description"} <= set(alert["annotations"])


def test_the_page_has_a_section_for_each_alert_and_no_other():
    named = re.findall(r"^### (\w+)$", PAGE, re.MULTILINE)

    assert named == [alert["alert"] for alert in RULES]
