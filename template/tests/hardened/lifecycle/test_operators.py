"""Who is an operator."""

import pytest

from app.settings import BadSettings
from app.stages.hardened.lifecycle import operators
from app.stages.hardened.lifecycle.operators import NotAnOperator
from tests.world import Company


def test_nobody_is_an_operator_unless_they_are_listed(acme: Company):
    with acme.app.app_context():
        assert not operators.is_operator("ada@acme.test")


def test_whoever_is_listed_and_has_confirmed_the_address_is_one(make_app, acme: Company):
    app = make_app(operators="ada@acme.test,who@nowhere.test")

    with app.app_context():
        assert operators.is_operator("Ada@acme.test")
        assert not operators.is_operator("who@nowhere.test")


def test_a_token_is_given_to_operators_only(make_app, acme: Company):
    app = make_app(operators="ada@acme.test")

    with app.app_context():
        assert operators.token("ada@acme.test", 60)
        with pytest.raises(NotAnOperator, match="must stand in OPERATORS"):
            operators.token("bill@initech.test", 60)


def test_what_is_no_address_is_refused_at_start(make_app):
    with pytest.raises(BadSettings, match="'ada' isn't an e-mail address"):
        make_app(operators="ada")
