"""`flask tenant list` and `show`."""

import json

from flask import Flask

from tests.world import Company


def run(app: Flask, *args: str):
    return app.test_cli_runner().invoke(args=["tenant", *args])


def test_the_list_has_every_tenant_with_its_people(app: Flask, acme: Company, initech: Company):
    acme.join("max@acme.test", "Max")

    found = json.loads(run(app, "list", "--json").output)

    assert [(one["slug"], one["people"]) for one in found] == [("acme", 2), ("initech", 1)]


def test_the_list_can_be_narrowed(app: Flask, acme: Company, initech: Company):
    output = run(app, "list", "TECH").output

    assert "initech" in output
    assert "acme" not in output


def test_one_is_shown_by_its_slug_or_its_id(app: Flask, acme: Company):
    by_slug = run(app, "show", "acme")
    by_id = run(app, "show", str(acme.tenant.id))

    assert by_slug.exit_code == 0
    assert "ada@acme.test" in by_slug.output
    assert by_id.output == by_slug.output


def test_who_mistypes_a_slug_is_shown_what_they_meant(app: Flask, acme: Company):
    answer = run(app, "show", "acne")

    assert answer.exit_code == 1
    assert "No workspace is called “acne”" in answer.output
    assert "Did you mean acme?" in answer.output
