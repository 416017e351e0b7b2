"""The small world once more, with Stripe's driver: the real SDK talks to a stand-in."""

import pytest

from app.db import close_connections
from tests.billing.stripe_stand_in import KEY, SECRET, StripeStandIn
from tests.conftest import build


@pytest.fixture(scope="session")
def stripe_server():
    with StripeStandIn().running() as stand_in:
        yield stand_in


@pytest.fixture
def stripe(stripe_server):
    """Stripe on its first day: it knows the prices, and nobody yet."""
    stripe_server.forget_everything()
    stripe_server.sell("pro", 2900)
    stripe_server.sell("pro.reports.built", 10, metered=True)
    stripe_server.measure("reports.built")
    return stripe_server


@pytest.fixture(scope="session")
def stripe_app(migrated_app, database_url, stripe_server, tmp_path_factory):
    """An application that takes money through Stripe, on the tests' database."""
    app = build(
        database_url,
        tmp_path_factory.mktemp("stripe"),
        stripe_secret_key=KEY,
        stripe_webhook_secret=SECRET,
        stripe_api_url=stripe_server.url,
    )
    yield app
    close_connections(app)


@pytest.fixture
def app(app, stripe_app):
    """The tables are emptied by the fixture that this one hides."""
    yield stripe_app
    stripe_app.extensions["queue"].flush()
    stripe_app.extensions.pop("stripe", None)


@pytest.fixture
def changed(app, monkeypatch):
    """Change a setting for one test."""

    def change(**settings: str) -> None:
        changed = app.config["SETTINGS"].model_copy(update=settings)
        monkeypatch.setitem(app.config, "SETTINGS", changed)

    return change


@pytest.fixture
def tell(app, stripe):
    """Send a webhook as Stripe does, signed unless a test says otherwise."""

    def send(body: str, signature: str | None = None):
        headers = {"Stripe-Signature": stripe.signature(body) if signature is None else signature}
        return app.test_client().post(
            "/billing/webhooks/stripe",
            data=body,
            headers=headers,
            content_type="application/json",
        )

    return send


@pytest.fixture
def buy(stripe):
    """Let a company buy a plan: choose it, pay on the Checkout page, come back."""

    def go(company, plan: str = "pro"):
        company.post("/billing/subscription", data={"plan": plan})
        subscription = stripe.pay(list(stripe.sessions)[-1])
        company.get("/billing/return")
        return subscription

    return go
