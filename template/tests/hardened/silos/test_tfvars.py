"""What is written for Terraform is what its module takes."""

import json
import re
from pathlib import Path
from uuid import UUID

import pytest

from app.stages.hardened.silos.errors import Refused
from app.stages.hardened.silos.names import database_of
from app.stages.hardened.silos.tfvars import variables_of, write

TENANT = UUID("019ac0de-0000-7000-8000-00000000beef")
MODULE = Path(__file__).parents[3] / "infra" / "terraform" / "tenant"
OF_A_TENANT = "# --- What app/stages/hardened/silos/tfvars.py writes"


VARIABLE = re.compile(r'^variable "(\w+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)
TYPE = re.compile(r"^  type\s+= (\S+)$", re.MULTILINE)
# What a value in JSON must be for a type of Terraform's.
TYPES = {"string": str, "set(string)": list}


def variables_taken() -> dict[str, str]:
    """The variables of one tenant that the root module takes, with their types."""
    text = (MODULE / "variables.tf").read_text()
    own = text[text.index(OF_A_TENANT) : text.index("# --- What is the same for all")]
    return {name: TYPE.search(body)[1] for name, body in VARIABLE.findall(own)}


@pytest.mark.parametrize("placement", ["silo", "account"])
def test_the_module_takes_just_these_variables_of_these_types(placement):
    account = {"account_id": "123456789012", "external_id": "0123456789abcdef"}
    given = account if placement == "account" else {}

    written = variables_of(TENANT, "initech", placement, "eu-central-1", **given)

    taken = variables_taken()
    assert set(written) == set(taken)
    assert {name: type(value) for name, value in written.items()} == {
        name: TYPES[kind] for name, kind in taken.items()
    }
    assert all(isinstance(one, str) for one in written["services"])


def test_the_module_calls_a_silos_database_as_we_do():
    assert (
        '"silo_${service}_${replace(var.tenant_id, "-", "")}"' in (MODULE / "main.tf").read_text()
    )
    assert database_of("features", TENANT) == "silo_features_019ac0de00007000800000000000beef"


def test_a_file_holds_them(tmp_path):
    file = write(tmp_path / "tenants", variables_of(TENANT, "initech", "silo", "eu-central-1"))

    assert file.name == f"{TENANT}.tfvars.json"
    assert json.loads(file.read_text())["services"] == ["analytics", "billing", "features"]
    assert [one.name for one in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"placement": "account"}, "needs the id of its account"),
        ({"region": ""}, "in which region"),
        ({"services": ["auth"]}, "auth has no silos"),
        ({"services": []}, "Name the services"),
    ],
)
def test_what_is_missing_is_said_before_a_pipeline_runs(wish, said):
    given = {"placement": "silo", "region": "eu-central-1"} | wish

    with pytest.raises(Refused, match=said):
        variables_of(TENANT, "initech", **given)
