"""The pages: what people see of their plan, and who may change it."""

import pytest

from app.billing.models import Invoice
from app.db import db
from tests.billing.subscribers import (
    TENTH,
    at,
    cancel,
    choose,
    grant,
    invoices_of,
    subscription_of,
    today,
    use,
)

PAGES = ["/billing/", "/billing/plans", "/billing/invoices"]
FORMS = ["/billing/subscription", "/billing/cancellation", "/billing/resumption"]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("plan", ["free", "pro", "granted"])
def test_every_page_says_that_no_money_moves(acme, path, plan):
    if plan == "granted":
        grant(acme)
    elif plan == "pro":
        choose(acme)

    page = acme.get(path)

    assert page.status_code == 200
    assert "no money moves" in page.text


def test_the_overview_shows_plan_use_and_the_next_invoice(acme):
    with at(TENTH):
        choose(acme)
        use(acme, count=102)

        page = today(acme).get("/billing/").text

    assert "Pro plan" in page
    assert "$29.00 a month" in page
    assert "It renews on" in page
    assert "Reports built: <strong>102</strong>" in page
    assert "Reports built in June 2026, beyond the 100 included" in page
    assert "$29.20" in page


def test_a_cancelled_plan_says_until_when(acme):
    with at(TENTH):
        choose(acme)
        cancel(acme)

        page = today(acme).get("/billing/").text

    assert "You keep this plan until" in page
    assert "01 July 2026" in page
    assert "Keep this plan" in page


def test_a_granted_plan_is_billed_nothing(acme):
    grant(acme)

    page = acme.get("/billing/").text

    assert "nothing is billed" in page
    assert "Next invoice" not in page
    assert "Cancel at the end" not in page


def test_the_plans_stand_side_by_side_with_their_prices(acme):
    page = acme.get("/billing/plans").text

    assert "$29.00 a month" in page
    assert "Projects: 100" in page
    assert "100 a month included, then $0.10 each" in page
    assert "Change to Pro" in page
    assert "Change to Free" not in page


def test_without_stripe_production_offers_no_change(acme, app, monkeypatch):
    monkeypatch.setattr(app.extensions["payments"], "is_ready", False)

    page = acme.get("/billing/plans").text

    assert "aren't set up" in page
    assert "Change to Pro" not in page


def test_an_invoice_shows_its_lines_and_that_it_is_not_real(acme):
    with at(TENTH):
        choose(acme)
        company = today(acme)

        assert "ACME-0001" in company.get("/billing/invoices").text
        page = company.get(f"/billing/invoices/{invoices_of(acme)[0].id}").text

    assert "Pro, 21 of 30 days of June 2026" in page
    assert "$20.30" in page
    assert "this is no real invoice" in page


def test_members_see_the_plan_but_neither_change_nor_invoices(acme, member):
    choose(acme)

    for path in ("/billing/", "/billing/plans"):
        page = member.get(path)
        assert page.status_code == 200
        assert "Change to" not in page.text
        assert "Cancel at the end" not in page.text
    assert "Only owners" in member.get("/billing/plans").text
    assert member.get("/billing/invoices").status_code == 403
    for path in FORMS:
        assert member.post(path, data={"plan": "pro"}).status_code == 403


def test_another_tenant_sees_nothing_of_it(acme, initech):
    choose(acme)
    use(acme, count=7)
    (invoice,) = invoices_of(acme)

    assert initech.get(f"/billing/invoices/{invoice.id}").status_code == 404
    assert "No invoices yet" in initech.get("/billing/invoices").text
    assert "Free plan" in initech.get("/billing/").text
    assert initech.get("/api/v1/billing").json["meters"] == {}
    for path in (*PAGES, "/api/v1/billing"):
        assert initech.client.get(f"/t/acme{path}").status_code == 404
    for path in FORMS:
        assert initech.client.post(f"/t/acme{path}", data={"plan": "free"}).status_code == 404
    assert not subscription_of(acme).cancel_at_period_end


def test_forms_carry_a_token_against_forgery(acme, app, monkeypatch):
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", True)

    assert acme.post("/billing/subscription", data={"plan": "pro"}).status_code == 400
    assert subscription_of(acme) is None


def test_what_providers_wrote_stays_text(acme):
    choose(acme)
    (invoice,) = invoices_of(acme)
    with acme.serving():
        row = db.session.get(Invoice, (acme.tenant.id, invoice.id))
        row.lines[0].text = "<script>alert(1)</script>"
        db.session.commit()

    page = acme.get(f"/billing/invoices/{invoice.id}").text

    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
