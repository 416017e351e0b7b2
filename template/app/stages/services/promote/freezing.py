"""Stopping the writes to a PostgreSQL source for the second pass, from outside the product.

SQLite has no such switch: another process can always write to the file, so there the product is
stopped, web processes and workers.
"""

from app.stages.services.promote.errors import Refused
from app.stages.services.promote.postgres import PostgresSide
from app.stages.services.promote.side import opened


def freeze(url: str) -> int:
    """Let every new transaction be read-only, and end the connections that began before."""
    side = frozen_side(url)
    try:
        side.execute(f"ALTER DATABASE {name_of(side)} SET default_transaction_read_only = on")
        ended = side.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> "
            "pg_backend_pid() AND datname = current_database() AND backend_type = 'client backend'"
        )
        return len(ended)
    finally:
        side.close()


def thaw(url: str) -> None:
    side = frozen_side(url)
    try:
        side.execute(f"ALTER DATABASE {name_of(side)} RESET default_transaction_read_only")
    finally:
        side.close()


def frozen_side(url: str) -> PostgresSide:
    side = opened(url, writing=True)
    if not isinstance(side, PostgresSide):
        side.close()
        raise Refused(
            "A SQLite file can't be frozen: stop the product instead, web processes and workers."
        )
    return side


def name_of(side: PostgresSide) -> str:
    return str(side.rows("SELECT quote_ident(current_database())")[0][0])
