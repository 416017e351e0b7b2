"""Dashboards can be loaded, and each alert says what to do.

Whether what they ask for is exported is tested in `test_running_system.py`. The rules are checked
by `promtool`, and run in a real Prometheus, in infra/tests/observability.
"""

import re
from importlib.util import module_from_spec, spec_from_file_location

import pytest

from tests.browser import PROJECT
from tests.services.observe import promql

PAGE = (PROJECT / "docs" / "observability.md").read_text("utf-8")
RULES = list(promql.rules())
ALERTS = [rule for rule in RULES if "alert" in rule]


@pytest.mark.parametrize("where", promql.ASKED)
def test_every_expression_is_promql(where):
    promql.parsed(promql.ASKED[where])


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
