"""The gateway's fixtures are ours, too, and those of what production may run on."""

from tests.ops.conftest import database_url, migrated_app
from tests.services.gateway.conftest import configuration, start_gateway

__all__ = ["configuration", "database_url", "migrated_app", "start_gateway"]
