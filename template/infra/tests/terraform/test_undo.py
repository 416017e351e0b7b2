"""The way back; these tests run last, as they take away what the others look at."""

import time

from tests.terraform.working_copy import AS_APPLIED, variables


def test_an_environment_is_destroyed(cloud):
    begun = time.monotonic()
    cloud.prod.do("destroy", "-auto-approve", "-parallelism=30", *variables("prod", **AS_APPLIED))
    print(f"\ndestroyed prod in {time.monotonic() - begun:.0f} s")

    assert "root_module" not in cloud.prod.show().get("values", {})
