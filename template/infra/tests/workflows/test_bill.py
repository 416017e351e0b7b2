"""The bill of materials is one that scanners and customers can read."""

import json
import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.tools import PROJECT, succeed


def test_it_keeps_to_the_schema_of_cyclonedx():
    succeed("uv", "lock", "--project", PROJECT)
    bill = json.loads(succeed(sys.executable, "-m", "scripts.delivery", "bill", "--release", "try"))

    assert len(bill["components"]) > 20
    # There are hundreds of addresses of one form, and the validator takes its time with each.
    for number, component in enumerate(bill["components"]):
        del component["externalReferences"][number < 3 :]
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(json.dumps(bill)) is None
