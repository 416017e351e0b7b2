"""What only a log-in needs isn't loaded by each process at its start."""

import pytest

from tests.ops.test_start import made_in_production

pytestmark = pytest.mark.processes


def test_what_only_a_log_in_needs_is_loaded_by_a_log_in(tmp_path):
    loaded = {name.partition(".")[0] for name in made_in_production(tmp_path)["modules"]}

    assert not loaded & {"authlib", "requests", "segno", "webauthn"}
