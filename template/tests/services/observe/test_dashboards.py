"""Dashboards and alerts ask for what a system really exports; each alert says what to do.

The rules are checked by `promtool`, and run in a real Prometheus, in infra/tests/observability.
"""

import os
import re
from importlib.util import module_from_spec, spec_from_file_location

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from app.stages.services import keys
from app.stages.services.rollout.store import Store
from tests.browser import PROJECT
from tests.services.observe import promql
from tests.services.observe.reading import Scrape

PAGE = (PROJECT / "docs" / "observability.md").read_text("utf-8")
RULES = list(promql.rules())
ALERTS = [rule for rule in RULES if "alert" in rule]
ASKED = {
    **{f"rule {rule.get('record') or rule['alert']}": rule["expr"] for rule in RULES},
    **{f"dashboard {where} {number}": expr for number, (where, expr) in enumerate(promql.panels())},
}
# What Prometheus says of those it asks.
OF_PROMETHEUS = {"up": {"job", "instance"}}
A_ROLLOUT = """
    INSERT INTO rollout.releases (name) VALUES ('r-42'), ('r-43');
    INSERT INTO rollout.rollouts (release, previous, state, waves, wave)
        VALUES ('r-43', 'r-42', 'paused', '{}', 0);
    INSERT INTO rollout.pins (tenant, release) VALUES (gen_random_uuid(), 'r-43');
    INSERT INTO rollout.followers (name, version) VALUES ('gateway-1', 0);
    UPDATE rollout.gateway SET version = 2;
"""
real = [
    pytest.mark.processes,
    pytest.mark.postgres,
    pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them"),
]


@pytest.fixture(scope="module")
def scrapes(watched):
    """All that a system says while it's used and a rollout is paused."""
    watched.begin_project("Tower")
    remember_a_rollout(watched.system.facts["databases"]["auth"])
    page = watched.browser.open("/t/acme/projects/")
    token = re.search(r'csrf_token" value="([^"]+)"', page)
    watched.browser.open("/t/acme/projects/reports/", {"csrf_token": token[1]})

    def worked():
        seen = watched.scraped()
        work = ("jobs_total", "event_delay_seconds_count")
        said = {name for scrape in seen.values() for name in (s.name for s in scrape.samples)}
        return seen if {*work, "events_lag"} <= said else None

    return list(watched.system.wait_for(worked, 30).values())


def remember_a_rollout(url: str) -> None:
    """As its owner, as `flask rollout` does."""
    owner = make_url(url).set(username="auth_owner").render_as_string(hide_password=False)
    with Store(owner) as store:
        store.prepare("auth")
    with create_engine(owner, poolclass=NullPool).begin() as connection:
        connection.execute(text(A_ROLLOUT))


@pytest.fixture(scope="module")
def exported(scrapes):
    """Each series that is exported, with its labels."""
    found: dict[str, set[str]] = {name: set(labels) for name, labels in OF_PROMETHEUS.items()}
    for scrape in scrapes:
        for sample in scrape.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.fixture
def with_a_key_that_ends(make_service):
    """Keys of development don't end."""
    app = make_service("features", signing_keys=[f"{keys.new_key()}@2099-01-31"])
    return {one.name: set(one.labels) for one in Scrape.of(app).samples}


@pytest.mark.parametrize("where", ASKED)
def test_every_expression_is_promql(where):
    promql.parsed(ASKED[where])


class TestReal:
    """What needs the running system."""

    pytestmark = real

    def test_every_series_and_label_that_is_asked_for_is_there(
        self, exported, with_a_key_that_ends
    ):
        there = with_a_key_that_ends | exported | promql.recorded()
        missing = [
            f"{where} asks for {name}{sorted(labels - there.get(name, set()))}"
            for where, text_ in ASKED.items()
            for name, labels in promql.asked(text_).items()
            if name not in there or not labels <= there[name]
        ]

        assert missing == []

    def test_the_page_lists_every_metric_and_no_other(self, scrapes, with_a_key_that_ends):
        listed = set(re.findall(r"^\| `([a-z_]+)`", PAGE, re.MULTILINE))
        families = {one.name for scrape in scrapes for one in scrape.samples}
        families |= set(with_a_key_that_ends)
        ours = {re.sub(r"_(bucket|count|sum)$", "", name) for name in families}
        foreign = ("python_", "process_")

        assert {name for name in ours if not name.startswith(foreign)} == listed

    def test_a_paused_rollout_is_seen(self, scrapes):
        states = [scrape.sum("rollout_state", release="r-43", state="paused") for scrape in scrapes]

        assert max(states) == 1
        assert max(scrape.sum("rollout_follower_behind") for scrape in scrapes) == 2

    def test_a_tenant_is_counted_under_its_slug(self, scrapes):
        assert "acme" in set().union(
            *(s.values("tenant_requests_total", "tenant") for s in scrapes)
        )


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_each_alert_says_what_to_do(alert):
    page, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    headings = [
        line.lstrip("# ").strip().lower() for line in PAGE.splitlines() if line.startswith("#")
    ]

    assert page == "docs/observability.md"
    assert anchor == alert["alert"].lower()
    assert anchor in headings
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert {"summary", "description"} <= set(alert["annotations"])


def test_the_page_has_no_runbook_of_an_alert_that_is_gone():
    named = set(re.findall(r"^### (\w+)$", PAGE, re.MULTILINE))

    assert named == {alert["alert"] for alert in ALERTS}


@pytest.mark.parametrize("name", promql.dashboards())
def test_a_dashboard_can_be_loaded_with_any_prometheus(name):
    board = promql.dashboards()[name]
    variables = {one["name"]: one for one in board["templating"]["list"]}
    sources = [panel["datasource"] for panel in board["panels"]]
    sources += [target["datasource"] for panel in board["panels"] for target in panel["targets"]]
    used = set(re.findall(r"\$(\w+)", " ".join(expr for _, expr in all_targets(board))))
    places = [tuple(panel["gridPos"].values()) for panel in board["panels"]]

    assert variables["datasource"]["type"] == "datasource"
    assert all(one == {"type": "prometheus", "uid": "${datasource}"} for one in sources)
    assert used <= set(variables)
    assert set(variables) - {"datasource"} <= used
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert len(set(places)) == len(places)
    assert "id" not in board  # It would take another one's place.


def all_targets(board):
    return [(t["refId"], t["expr"]) for panel in board["panels"] for t in panel["targets"]]


def test_dashboards_have_ids_of_their_own():
    ids = [board["uid"] for board in promql.dashboards().values()]

    assert len(set(ids)) == len(ids) == 4


def test_the_files_are_what_dashboards_py_writes():
    spec = spec_from_file_location("dashboards", promql.FOLDER / "dashboards.py")
    made = module_from_spec(spec)
    spec.loader.exec_module(made)

    for name, board in made.DASHBOARDS.items():
        file = promql.FOLDER / "dashboards" / f"{name}.json"
        assert file.read_text("utf-8") == made.written(board), (
            "python infra/observability/dashboards.py"
        )
