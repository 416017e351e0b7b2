"""The bill of materials is one that scanners and customers can read."""

import json
import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.tools import PROJECT, succeed


def test_it_keeps_to_the_schema_of_cyclonedx():
    succeed("uv", "lock", "--project", PROJECT)
    bill = succeed(sys.executable, "-m", "scripts.delivery", "bill", "--release", "try")

    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(bill) is None
    assert len(json.loads(bill)["components"]) > 20
