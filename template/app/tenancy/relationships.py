"""Relationships: one from rows that are nobody's to rows of tenants would reach everybody's."""

from typing import Any
from weakref import WeakSet

from sqlalchemy import event
from sqlalchemy.orm import Mapper, configure_mappers

from app.tenancy.models import BelongsToTenant, is_tenant_owned

MAPPERS: WeakSet[Mapper[Any]] = WeakSet()


class UnsafeRelationship(SystemExit):
    """A relationship leads around the walls: its rows are loaded where nothing names a tenant."""


@event.listens_for(Mapper, "instrument_class")
def remember(mapper: Mapper[Any], _class: type) -> None:
    MAPPERS.add(mapper)


def refuse_unsafe() -> None:
    """Refuse to start with a relationship from a model that isn't the tenant's to one that is."""
    configure_mappers()
    for mapper in list(MAPPERS):
        if not issubclass(mapper.class_, BelongsToTenant):
            refuse_ways_to_tenants(mapper)


def refuse_ways_to_tenants(mapper: Mapper[Any]) -> None:
    for way in mapper.relationships:
        if issubclass(way.mapper.class_, BelongsToTenant) or is_tenant_owned(way.secondary):
            raise UnsafeRelationship(
                f"{way} leads from rows that are nobody's to rows of tenants, and would load "
                f"everybody's. Take it out and select {way.mapper.class_.__name__} instead."
            )
