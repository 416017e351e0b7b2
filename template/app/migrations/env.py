"""How Alembic runs a package's history; every package shares this file."""

from typing import Any, Literal

from alembic import context

from app.columns import UtcDateTime
from app.db import owns
from app.encryption import EncryptedText

config = context.config
package: str = config.attributes["package"]


def include_name(name: str | None, kind: str, _parents: Any) -> bool:
    return kind != "table" or owns(package, name or "")


def render_item(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write plain types, so that a migration still runs when the code has moved on."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, EncryptedText):
        return "sa.Text()"
    return False


context.configure(
    connection=config.attributes["connection"],
    target_metadata=config.attributes["metadata"],
    version_table=f"alembic_version_{package}",
    include_name=include_name,
    render_item=render_item,
    render_as_batch=config.attributes["connection"].dialect.name == "sqlite",
    # On SQLite one transaction holds the whole upgrade, so that two processes can't interleave.
    transaction_per_migration=config.attributes["connection"].dialect.name != "sqlite",
    compare_type=True,
    compare_server_default=False,
)
with context.begin_transaction():
    context.run_migrations()
