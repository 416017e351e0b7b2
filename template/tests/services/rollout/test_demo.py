"""Two real releases side by side, and people who use them: the bad one comes back by itself."""

import os
import re
import subprocess
import sys

import pytest

from tests.browser import PROJECT

pytestmark = [pytest.mark.processes, pytest.mark.postgres, pytest.mark.kills]

# Settings of whoever develops here would lead to another system.
OF_OTHERS = ("FLASK_", "DATABASE_", "REDIS_", "SERVES", "PUBLIC_URL", "RELEASE", "ROLLOUT_")


def test_a_bad_release_stops_at_its_wave_and_its_tenants_are_back(capsys):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(OF_OTHERS)}

    done = subprocess.run(
        [sys.executable, "-m", "flask", "rollout", "demo"],
        cwd=PROJECT,
        env=clean | {"FLASK_APP": "app", "APP_ENV": "development"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )

    said = done.stdout
    assert done.returncode == 0, said
    assert "Wave 1 of 3, canary: 4 tenants" in said
    assert "Wave 2" not in said
    assert re.search(r"Stopped in the wave canary: error budget of 5\.0% used up", said), said
    assert "Everybody has 1.0 again; all gateways have the pins of before" in said
    assert re.search(r"canary +4 tenants  back on 1\.0", said)
    assert re.search(r"half +20 tenants  has 1\.0", said)
    saw = int(re.search(r"(\d+) of 40 tenants saw it", said)[1])
    assert 1 <= saw <= 4, said  # Nobody but the canaries.
    after, failed = re.search(r"After it ([\d,]+) requests, (\d+) of them failed", said).groups()
    assert int(after.replace(",", "")) > 50
    assert failed == "0"
    with capsys.disabled():
        print("\n" + "\n".join(said.splitlines()[-4:]))  # noqa: T201  # It's what this is for.
