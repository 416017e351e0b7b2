"""Acme with people who have roles."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask

from app.auth.identity import Fact, Identity
from tests.hardened.rbac.people import Somebody, somebody
from tests.world import Company


@pytest.fixture
def ada(acme: Company) -> Somebody:
    """Acme's owner."""
    return Somebody(acme)


@pytest.fixture
def join(acme: Company) -> Callable[..., Somebody]:
    """Lets somebody join acme, with roles: by names of built-in ones, or permissions."""

    def join_acme(name: str, *roles: str, permissions: list[str] | None = None) -> Somebody:
        ada, person = Somebody(acme), somebody(acme, name)
        ids = [ada.role_called(role) for role in roles]
        if permissions is not None:
            ids.append(ada.make(f"Role of {name}", *permissions))
        if ids:
            ada.give(person, *ids)
        return person

    return join_acme


@pytest.fixture
def narrow_tokens(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets every API token open some permissions only, as a stage could."""

    def narrow(*permissions: str) -> None:
        def follow(who: Identity, _credential: str) -> Identity:
            return replace(who, grants=permissions)

        facts = [*app.extensions["identity_facts"], Fact((), follow, ("token",))]
        monkeypatch.setitem(app.extensions, "identity_facts", facts)

    return narrow
