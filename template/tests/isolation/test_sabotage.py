"""The walk is worth something: a view with a hole in it turns it red."""

import pytest
from flask import Blueprint
from sqlalchemy import select, text

from app.analytics.models import Fact
from app.auth import login_required, requires
from app.db import db

ACROSS = {"across_tenants": "sabotage, for this test"}


def by_raw_sql(fact_id):
    statement = text("SELECT name FROM analytics_events WHERE id = :id").execution_options(**ACROSS)
    name = db.session.scalar(statement, {"id": key_of(fact_id)})
    return name or ("", 404)


def by_leaving_the_tenant(fact_id):
    row = db.session.scalar(find(fact_id))
    return row.name if row else ("", 404)


def by_answering_that_it_is_there(fact_id):
    return ("", 409) if db.session.scalar(find(fact_id)) else ("", 404)


def by_writing(fact_id):
    with db.engine.begin() as connection:
        mine = Fact.__table__.c.id == fact_id
        connection.execute(Fact.__table__.update().where(mine).values(name="ours now"))
    return "", 404


def by_listing():
    everything = select(Fact).execution_options(**ACROSS)
    return [fact.name for fact in db.session.scalars(everything)]


def find(fact_id):
    return select(Fact).where(Fact.id == fact_id).execution_options(**ACROSS)


def has_walls_of_its_own(app):
    """Whether the database keeps tenants apart by itself, as at a later stage."""
    with app.app_context():
        return "walls" in app.extensions and db.engine.dialect.name == "postgresql"


def key_of(an_id):
    return an_id.hex if db.engine.dialect.name == "sqlite" else an_id


HOLES = {
    "raw SQL": ("GET", "/<uuid:fact_id>", by_raw_sql, "shows another tenant's row"),
    "across": ("GET", "/<uuid:fact_id>", by_leaving_the_tenant, "shows another tenant's row"),
    "existence": ("GET", "/<uuid:fact_id>", by_answering_that_it_is_there, "answers 409"),
    "a write": ("POST", "/<uuid:fact_id>", by_writing, "changes another tenant's row"),
    "a list": ("GET", "/", by_listing, "shows another tenant's row"),
}


@pytest.mark.parametrize("hole", HOLES)
@pytest.mark.parametrize("guard", [requires("analytics:read"), login_required])
def test_a_view_with_a_hole_is_found(make_app, walk_in, walkers, hole, guard):
    method, rule, view, finding = HOLES[hole]
    sabotaged = make_app()
    bp = Blueprint("sabotage", __name__, url_prefix="/sabotage")
    bp.add_url_rule(rule, view_func=guard(view), methods=[method])
    sabotaged.register_blueprint(bp)

    findings = walk_in(sabotaged).findings(walkers["member"](sabotaged), only="sabotage.")

    if has_walls_of_its_own(sabotaged):
        assert findings == []  # The hole leads nowhere: the database knows the tenant, too.
        return
    assert findings, "The walk didn't notice."
    assert all(finding in line for line in findings)


def test_a_parameter_that_nobody_can_fill_is_said(make_app, walk_in, walkers):
    app = make_app()
    app.add_url_rule("/sabotage/<float:size>", view_func=login_required(by_listing))

    with pytest.raises(AssertionError, match="add FloatConverter to PARAMETERS"):
        walk_in(app).findings(walkers["member"](app), only="by_listing")
