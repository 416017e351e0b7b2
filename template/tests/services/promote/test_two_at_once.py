"""Two promotes into the same databases: the second one is told, and nothing is mixed up."""

import pytest

from app.stages.services.promote import postgres
from app.stages.services.promote.errors import Refused
from app.stages.services.promote.run import abandon, copy, finish, sides

pytestmark = pytest.mark.postgres


@pytest.fixture(params=["sqlite"])
def source_kind(request):
    return request.param


def test_the_second_is_refused_until_the_first_has_ended(world, monkeypatch):
    monkeypatch.setattr(postgres, "CLAIM_SECONDS", 0.3)
    at_work = "Another `flask promote` is at work in .*/promote_auth_.*server process"

    with sides(world.source, world.targets):
        for other in (copy, finish):
            with pytest.raises(Refused, match=at_work):
                other(world.source, world.targets)
        with pytest.raises(Refused, match=at_work):
            abandon(world.targets)

    assert copy(world.source, world.targets).rows > 0
    finish(world.source, world.targets)


def test_who_is_refused_by_one_database_keeps_none_of_the_others(world, monkeypatch):
    monkeypatch.setattr(postgres, "CLAIM_SECONDS", 0.3)
    last = {"features": world.targets["features"]}

    with sides(world.source, last), pytest.raises(Refused, match="promote_features_"):
        copy(world.source, world.targets)

    with sides(world.source, world.targets):
        pass
