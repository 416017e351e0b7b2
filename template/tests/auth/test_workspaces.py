"""Workspaces: founding one, its place in URLs, and who may change it."""

import pytest
from sqlalchemy import select

from app.auth import tenants
from app.auth.models import Membership, Organisation
from app.db import db
from app.events import OutboxRow
from app.tenancy import serving


def found(browser, name):
    return browser.post("/workspaces/new", data={"name": name}).location


def test_whoever_founds_a_workspace_owns_it(app, acme):
    assert found(acme.client, "Second Company") == "/t/second-company/"

    with app.app_context():
        membership = db.session.scalars(
            select(Membership).join(Organisation).where(Organisation.slug == "second-company")
        ).one()
        assert (membership.user_id, membership.role) == (acme.user_id, "owner")


def test_the_rest_of_the_product_hears_of_a_new_workspace(app, acme):
    found(acme.client, "Second")

    with app.app_context():
        rows = db.session.scalars(select(OutboxRow).order_by(OutboxRow.id)).all()
    assert [(row.name, row.tenant_slug) for row in rows] == [
        ("auth.tenant_created", "second"),
        ("auth.member_joined", "second"),
    ]


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Acme", "acme-2"),  # Acme is there already.
        ("Bücher & Söhne GmbH", "bucher-sohne-gmbh"),
        ("  --Dashes--  ", "dashes"),
        ("株式会社", "workspace"),
        ("X", "workspace"),
        ("Admin", "admin-2"),
        ("../../etc", "etc"),
        ("a" * 80, "a" * 36),
        ("<script>", "script"),
    ],
)
def test_the_address_comes_from_the_name(acme, name, slug):
    assert found(acme.client, name) == f"/t/{slug}/"


def test_the_same_name_again_gets_a_number(acme):
    assert [found(acme.client, "New Co") for _ in range(3)] == [
        "/t/new-co/",
        "/t/new-co-2/",
        "/t/new-co-3/",
    ]


def test_a_workspace_needs_a_name(acme):
    assert acme.client.post("/workspaces/new", data={"name": " "}).status_code == 422


def test_the_list_shows_ones_own_workspaces_only(acme, initech):
    page = acme.client.get("/workspaces").text

    assert "/t/acme/" in page
    assert "initech" not in page.lower()


def change(company, **changes):
    return company.post("/settings", data={"name": "Acme", "slug": "acme"} | changes)


def test_an_owner_renames_the_workspace(app, acme):
    answer = change(acme, name="Acme & Daughters", slug="daughters")

    assert answer.location == "/t/daughters/settings"
    assert "Acme &amp; Daughters" in acme.client.get("/t/daughters/settings").text
    assert acme.get("/settings").status_code == 404


@pytest.mark.parametrize(
    ("slug", "problem"),
    [
        ("initech", "is taken"),
        ("admin", "is reserved"),
        ("api", "is reserved"),
        ("www", "is reserved"),
        ("x", "letters a to z"),
        ("a--b", "letters a to z"),
        ("-a", "letters a to z"),
        ("xn--80ak6aa92e", "letters a to z"),
        ("a/b", "letters a to z"),
        ("ä", "letters a to z"),
        ("a" * 41, "letters a to z"),
        ("", "Enter an address"),
    ],
)
def test_an_address_that_cannot_be_is_refused(acme, initech, slug, problem):
    answer = change(acme, slug=slug)

    assert answer.status_code == 422
    assert problem in answer.text
    assert acme.get("/settings").status_code == 200


def test_capitals_in_an_address_are_made_small(acme):
    assert change(acme, slug="ACME-2").location == "/t/acme-2/settings"


def test_a_member_sees_the_settings_and_changes_nothing(acme, member):
    page = member.get("/settings").text

    assert "Leave this workspace" in page
    assert 'name="slug"' not in page
    assert change(member, name="Mine").status_code == 403


def test_the_form_changes_no_other_field(app, acme, initech):
    change(acme, id=str(initech.tenant.id), tenant_id=str(initech.tenant.id), created_at="2020")

    with app.app_context(), serving(acme.tenant):
        row = db.session.get(Organisation, acme.tenant.id)
        assert row.slug == "acme"
        assert row.created_at.year > 2020


def test_reserved_words_can_be_no_address_but_are_fine_names(app):
    assert "admin" in tenants.RESERVED
    with app.app_context(), pytest.raises(tenants.SlugRefused):
        tenants.refuse_unusable("login")
