"""The services and the Valkey of the events' tests are ours, too."""

from tests.services.events.conftest import (
    acme_there,
    listeners,
    make_service,
    tables,
    valkey,
    valkey_server,
)

__all__ = ["acme_there", "listeners", "make_service", "tables", "valkey", "valkey_server"]
