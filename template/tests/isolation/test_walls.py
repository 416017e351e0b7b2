"""Nobody gets at another tenant's rows, by any route, with any of their ids."""

import pytest

ROLES = ("anonymous", "member", "owner", "token")


@pytest.mark.parametrize("role", ROLES)
def test_no_route_shows_or_changes_another_tenants_rows(app, walk_in, walkers, role):
    """A line below names the route, who asked, and what came through."""
    findings = walk_in(app).findings(walkers[role](app))

    assert findings == [], "\n" + "\n".join(findings)
