"""The gateway's fixtures are ours, too."""

from tests.services.gateway.conftest import configuration, start_gateway

__all__ = ["configuration", "start_gateway"]
