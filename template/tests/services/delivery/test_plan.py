"""A Terraform plan in few words. infra/tests/workflows asks the same of a real one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.delivery.plan import changes_in, fingerprint, summary, unexpected_losses

PROJECT = Path(__file__).parents[3]


def plan(*changes) -> dict:
    return {
        "resource_changes": [
            {
                "address": f"{kind}.{name}",
                "type": kind,
                "change": {"actions": list(actions), "after": after},
            }
            for kind, name, actions, after in changes
        ]
    }


GROWS = ("aws_db_instance", "auth", ["update"], {"allocated_storage": 100, "password": "hunter2"})
GOES = ("aws_db_instance", "billing", ["delete", "create"], {"allocated_storage": 20})
STAYS = ("aws_vpc", "this", ["no-op"], {})


def test_it_says_what_becomes_of_each_resource():
    said = summary(changes_in(plan(GROWS, GOES, STAYS)))

    assert said.startswith("1 to change, 1 to replace\n")
    assert "- replace `aws_db_instance.billing` — **what it holds would be lost**" in said
    assert "aws_vpc" not in said


def test_it_shows_no_values():
    assert "hunter2" not in summary(changes_in(plan(GROWS)))


def test_a_plan_without_changes_says_so():
    assert summary(changes_in(plan(STAYS))) == "Nothing would change."


def test_the_fingerprint_is_of_what_would_be_done():
    more = (*GROWS[:3], {"allocated_storage": 200, "password": "hunter2"})

    assert fingerprint(changes_in(plan(GROWS, GOES))) == fingerprint(changes_in(plan(GOES, GROWS)))
    assert fingerprint(changes_in(plan(GROWS))) != fingerprint(changes_in(plan(more)))


def test_data_is_lost_only_where_somebody_said_so():
    changes = changes_in(plan(GROWS, GOES))

    assert unexpected_losses(changes, []) == ["aws_db_instance.billing"]
    assert unexpected_losses(changes, ["aws_db_instance.billing"]) == []


@pytest.mark.parametrize(
    ("written", "arguments", "says"),
    [
        (json.dumps(plan(GOES)), [], "This would lose what is in aws_db_instance.billing"),
        (json.dumps(plan(GROWS)), ["--approved", "0" * 16], "isn't the plan that was approved"),
        (json.dumps(plan(GROWS)), ["--approved", ""], "isn't the plan that was approved"),
        ("Error: no plan", [], "holds no JSON"),
        (None, [], "can't be read: No such file"),
    ],
)
def test_the_command_refuses(tmp_path, written, arguments, says):
    file = tmp_path / "plan.json"
    if written is not None:
        file.write_text(written)

    done = subprocess.run(
        [sys.executable, "-m", "scripts.delivery", "plan", str(file), *arguments],
        cwd=PROJECT,
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 1
    assert says in done.stderr
