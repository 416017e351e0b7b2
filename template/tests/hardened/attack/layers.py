"""Layers alone: the walls of the session taken down, so that the database's stand by themselves."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from flask_sqlalchemy.session import Session
from sqlalchemy import event

from app.tenancy import prepared
from app.tenancy import session as walls
from app.tenancy.session import TenantSession

BULK = ("bulk_save_objects", "bulk_insert_mappings", "bulk_update_mappings")


@contextmanager
def without_the_orms_walls() -> Iterator[None]:
    """A session as Flask-SQLAlchemy has it: neither narrowed, nor stamped, nor refused."""
    with ExitStack() as stack:
        stack.enter_context(unheard("do_orm_execute", walls.narrow))
        stack.enter_context(unheard("before_flush", walls.stamp))
        for name in ("get", *BULK):
            stack.enter_context(put(TenantSession, name, getattr(Session, name)))
        stack.enter_context(put(prepared, "__init__", not_narrowed))
        yield


def not_narrowed(read: Any, statement: Any) -> None:
    """A prepared read that takes its statement as it is."""
    read.statement = statement
    read.bind_key = statement.get_final_froms()[0].metadata.info["bind_key"]


@contextmanager
def unheard(name: str, listener: Any) -> Iterator[None]:
    """A listener of the session is not told."""
    event.remove(TenantSession, name, listener)
    try:
        yield
    finally:
        event.listen(TenantSession, name, listener)


@contextmanager
def put(target: Any, name: str, value: Any) -> Iterator[None]:
    """Another value stands there for a while."""
    with pytest.MonkeyPatch.context() as patch:
        if isinstance(target, dict):
            patch.setitem(target, name, value)
        else:
            patch.setattr(target, name, value)
        yield
