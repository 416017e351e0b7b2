"""Relationships: one from rows that are nobody's to rows of tenants would reach everybody's."""

from typing import Any
from weakref import WeakSet

from sqlalchemy import event
from sqlalchemy.orm import Mapper, RelationshipProperty, configure_mappers

from app.tenancy.models import BelongsToTenant, is_tenant_owned

MAPPERS: WeakSet[Mapper[Any]] = WeakSet()


class UnsafeRelationship(SystemExit):
    """A relationship leads around the walls: its rows are loaded where nothing names a tenant."""


@event.listens_for(Mapper, "instrument_class")
def remember(mapper: Mapper[Any], _class: type) -> None:
    MAPPERS.add(mapper)


def refuse_unsafe() -> None:
    """Refuse to start with a relationship that could bring another tenant's rows."""
    configure_mappers()
    for mapper in list(MAPPERS):
        if issubclass(mapper.class_, BelongsToTenant):
            refuse_loose_ties(mapper)
        else:
            refuse_ways_to_tenants(mapper)


def refuse_ways_to_tenants(mapper: Mapper[Any]) -> None:
    for way in mapper.relationships:
        if issubclass(way.mapper.class_, BelongsToTenant) or is_tenant_owned(way.secondary):
            raise UnsafeRelationship(
                f"{way} leads from rows that are nobody's to rows of tenants, and would load "
                f"everybody's. Take it out and select {way.mapper.class_.__name__} instead."
            )


def refuse_loose_ties(mapper: Mapper[Any]) -> None:
    """Between two models of tenants, each step of the way must keep to the tenant."""
    for way in mapper.relationships:
        if issubclass(way.mapper.class_, BelongsToTenant) and tenant_steps(way) < steps(way):
            raise UnsafeRelationship(
                f"{way} isn't joined by the tenant: give it a foreign key with both columns, such "
                'as ForeignKeyConstraint(["tenant_id", "project_id"], '
                '["projects.tenant_id", "projects.id"]).'
            )


def steps(way: RelationshipProperty[Any]) -> int:
    return 1 if way.secondary is None else 2


def tenant_steps(way: RelationshipProperty[Any]) -> int:
    pairs = way.local_remote_pairs or ()
    return sum(here.name == there.name == "tenant_id" for here, there in pairs)
