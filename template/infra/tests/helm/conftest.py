"""What the tests of the chart share."""

import json

import pytest

from tests.tools import in_app

ASK = (
    "import json; from app.settings import settings_class; "
    "print(json.dumps(sorted(name.upper() for name in settings_class().model_fields)))"
)


@pytest.fixture(scope="session")
def names() -> set[str]:
    """The settings that the application reads at this stage, as it says itself."""
    return set(json.loads(in_app("python", "-c", ASK)))
