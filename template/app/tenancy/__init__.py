"""Tenancy: who is being served, and the walls around their rows.

A model that mixes in `BelongsToTenant` is narrowed when read and stamped when written. Touching
such rows with no tenant set is an error, not an empty list.
"""

from app.tenancy.context import (
    NoTenant,
    Tenant,
    WrongTenant,
    current_tenant,
    enter,
    key,
    serving,
    tenant_or_none,
)
from app.tenancy.models import BelongsToTenant
from app.tenancy.reads import as_dicts, get_or_404, prepared
from app.tenancy.relationships import refuse_unsafe
from app.tenancy.urls import init_app, root_url, slug_in_url, tenant_url

__all__ = [
    "BelongsToTenant",
    "NoTenant",
    "Tenant",
    "WrongTenant",
    "as_dicts",
    "current_tenant",
    "enter",
    "get_or_404",
    "init_app",
    "key",
    "prepared",
    "refuse_unsafe",
    "root_url",
    "serving",
    "slug_in_url",
    "tenant_or_none",
    "tenant_url",
]
