"""The services and the Valkey of the events' tests are ours, too."""

from tests.services.events.conftest import listeners, make_service, tables, valkey, valkey_server

__all__ = ["listeners", "make_service", "tables", "valkey", "valkey_server"]
