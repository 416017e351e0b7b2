"""Who may call what, as a file that is read when it changes: roles, permissions and routes.

The routes of your features aren't in it: they're yours to add. Ask `flask rbac matrix` for all.
To write it again after a change: WRITE_MATRIX=1 uv run pytest tests/hardened/rbac/test_matrix.py
"""

import os
from pathlib import Path

from app.access import access_of
from app.routes import methods_of
from app.stages.hardened.rbac import builtin

REVIEWED = Path(__file__).with_name("matrix.txt")
HOW = "See who may call what now, and if it's meant, write it again with WRITE_MATRIX=1."


def test_who_may_call_what_is_as_it_was_reviewed(app):
    with app.app_context():
        now = "\n".join(sorted(lines_of(app))) + "\n"
    if os.environ.get("WRITE_MATRIX"):
        REVIEWED.write_text(now, "utf-8")

    assert now.splitlines() == REVIEWED.read_text("utf-8").splitlines(), HOW


def test_every_route_of_a_feature_needs_something_that_a_role_can_have(app):
    with app.app_context():
        for rule in app.url_map.iter_rules():
            access = access_of(app, rule.endpoint)
            if is_a_features(app, rule):
                assert access.kind != "permission" or access.permission in builtin.declared()


def lines_of(app):
    """`POST /members/roles/new: roles:write (owner admin)`, and who else may."""
    allowed = {one.key: set(one.permissions()) for one in builtin.ALL}
    for rule in app.url_map.iter_rules():
        if is_a_features(app, rule) or rule.rule.startswith("/dev/"):
            continue
        access = access_of(app, rule.endpoint)
        who = " ".join(role for role, has in allowed.items() if access.permission in has)
        needed = f"{access.permission} ({who})" if access.permission else access.kind
        yield f"{methods_of(rule)} {rule.rule}: {needed}"


def is_a_features(app, rule):
    return app.view_functions[rule.endpoint].__module__.startswith("app.features.")
