"""What it costs: worked out from plans, and the page that says so."""

import importlib.util
import json
import os
import sys

import pytest
import yaml

from tests.tools import INFRA, PROJECT

COSTS = INFRA / "costs"


def load():
    found = importlib.util.spec_from_file_location("cost", COSTS / "cost.py")
    module = importlib.util.module_from_spec(found)
    sys.modules["cost"] = module
    found.loader.exec_module(module)
    return module


cost = load()
PRICES = cost.read_prices(COSTS / "prices-us-east-1.yaml")
SIZES = cost.read_sizes()


def plan_of(*resources, region="us-east-1"):
    named = [{"address": f"x.{number}", **one} for number, one in enumerate(resources)]
    return {
        "planned_values": {"root_module": {"resources": named}},
        "variables": {"region": {"value": region}},
    }


def recorded(name):
    return cost.read_plan(COSTS / "plans" / f"{name}.json")


def bill(size):
    return cost.lines([recorded(size), recorded("account")], PRICES, SIZES, size)


def test_the_page_is_what_is_worked_out():
    text = (PROJECT / "docs" / "costs.md").read_text("utf-8")

    assert cost.with_block(text, cost.page()) == text, "run infra/costs/cost.py --write"


@pytest.mark.parametrize("name", ["small", "medium", "large", "account"])
def test_the_recorded_plans_are_what_terraform_plans(sized_plans, name):
    fresh = json.loads(json.dumps(cost.trimmed(sized_plans[name])))
    if os.environ.get("RECORD_PLANS"):
        text = json.dumps(fresh, indent=1, sort_keys=True)
        (COSTS / "plans" / f"{name}.json").write_text(text + "\n")

    assert fresh == recorded(name), "record it again, with RECORD_PLANS=1: see docs/costs.md"


@pytest.mark.parametrize("name", ["dev", "staging"])
def test_the_other_environments_have_prices_for_all_they_have(plans, name):
    assert cost.total(cost.lines([plans[name]], PRICES, SIZES, "small")) > 100


def test_a_line_is_what_it_says():
    database = {
        "type": "aws_db_instance",
        "values": {
            "instance_class": "db.t4g.medium",
            "multi_az": True,
            "allocated_storage": 20,
            "manage_master_user_password": True,
        },
    }

    found = {
        line.what: line.dollars for line in cost.lines([plan_of(database)], PRICES, SIZES, "small")
    }

    assert found["db.t4g.medium in two zones"] == pytest.approx(2 * 0.065 * 730)
    assert found["20 GiB in two zones"] == pytest.approx(2 * 20 * 0.115)
    assert found["the administrator's password"] == pytest.approx(0.40)


def test_a_bill_adds_up():
    found = bill("medium")

    assert sum(cost.parts(found).values()) == pytest.approx(cost.total(found))
    text = cost.bill_of(found, 500)
    assert f"**{cost.total(found):,.2f}**" in text


def test_a_tenant_costs_less_where_there_are_more():
    each = [cost.total(bill(size)) / SIZES["sizes"][size]["tenants"] for size in cost.SIZES]

    assert each == sorted(each, reverse=True)


def test_what_has_no_price_is_named():
    plan = plan_of({"type": "aws_redshift_cluster"}, {"type": "aws_msk_cluster"})

    with pytest.raises(SystemExit, match="No price is known for aws_msk_cluster, aws_redshift"):
        cost.lines([plan], PRICES, SIZES, "small")


def test_a_machine_that_has_no_price_is_named():
    cache = {
        "type": "aws_elasticache_replication_group",
        "values": {"node_type": "cache.r9g.large", "num_cache_clusters": 1},
    }

    with pytest.raises(SystemExit, match=r"cache\.r9g\.large has no price in caches"):
        cost.lines([plan_of(cache)], PRICES, SIZES, "small")


def test_prices_of_another_region_are_refused():
    with pytest.raises(SystemExit, match="for eu-north-1, and the prices are of us-east-1"):
        cost.lines([plan_of(region="eu-north-1")], PRICES, SIZES, "small")


@pytest.mark.parametrize("content", [None, "{", "{}", "[]"])
def test_what_is_no_plan_is_refused(tmp_path, content):
    path = tmp_path / "plan.json"
    if content is not None:
        path.write_text(content)

    with pytest.raises(SystemExit, match="terraform show -json"):
        cost.main(["--plan", str(path)])


def test_the_command_shows_a_bill(capsys):
    cost.main(["--plan", str(COSTS / "plans" / "small.json"), "--size", "small"])

    assert "**Together**" in capsys.readouterr().out


def test_prices_have_a_date_and_sources():
    for path in COSTS.glob("prices-*.yaml"):
        prices = yaml.safe_load(path.read_text("utf-8"))
        assert path.name == f"prices-{prices['region']}.yaml"
        assert prices["date"].year >= 2026
        assert all(source.startswith("https://aws.amazon.com/") for source in prices["sources"])


def test_nothing_is_both_free_and_priced():
    assert not cost.FREE & set(cost.PRICED)
