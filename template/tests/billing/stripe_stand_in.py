"""A small stand-in for Stripe: a real HTTP server that answers the calls our driver makes.

It is strict about what the SDK sends (key, API version, idempotency keys, parameters that it
knows), keeps customers, prices, subscriptions and invoices, and signs webhooks as Stripe does.
It knows no taxes, coupons, trials, disputes, currencies but the plans', nor Stripe's prorations;
docs/billing.md lists what only Stripe's own test mode can show.
"""

import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from stripe._api_version import _ApiVersion

from app.billing.periods import this_month

KEY = "sk_test_stand_in"
SECRET = "whsec_stand_in"

Params = dict[str, Any]


class Refusal(Exception):
    """An error as Stripe answers it."""

    def __init__(self, status: int, message: str, kind: str = "invalid_request_error") -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"type": kind, "message": message}}


@dataclass
class Call:
    """A request that came in."""

    method: str
    path: str
    headers: dict[str, str]
    params: Params


ROUTES: list[tuple[str, re.Pattern[str], set[str], Callable[..., Any]]] = []


def answers(method: str, path: str, *known: str) -> Callable[[Any], Any]:
    """The method below answers this call, with these parameters and no others."""
    pattern = re.compile("/v1/" + path.replace("{id}", "([^/]+)") + "$")

    def register(work: Any) -> Any:
        ROUTES.append((method, pattern, set(known), work))
        return work

    return register


@dataclass
class StripeStandIn:
    """What Stripe would keep."""

    calls: list[Call] = field(default_factory=list)
    customers: dict[str, Params] = field(default_factory=dict)
    prices: dict[str, Params] = field(default_factory=dict)
    meters: dict[str, Params] = field(default_factory=dict)
    sessions: dict[str, Params] = field(default_factory=dict)
    subscriptions: dict[str, Params] = field(default_factory=dict)
    invoices: dict[str, Params] = field(default_factory=dict)
    meter_events: dict[str, Params] = field(default_factory=dict)
    done: dict[str, tuple[str, Any]] = field(default_factory=dict)
    is_down: bool = False
    declines: bool = False
    before_answer: Callable[[Call], None] = lambda _call: None
    numbers: Any = field(default_factory=lambda: count(1))
    url: str = ""

    def forget_everything(self) -> None:
        """Begin anew, at the same address."""
        self.__init__(url=self.url)  # type: ignore[misc]

    # What a test does in the world.

    @contextmanager
    def running(self):
        """Serve on a free port of this machine."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(self))
        server.daemon_threads = True
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def sell(self, lookup_key: str, amount: int, *, metered: bool = False) -> str:
        """Put a price into the catalogue."""
        price_id = self.new("price")
        self.prices[price_id] = {
            "id": price_id,
            "object": "price",
            "lookup_key": lookup_key,
            "active": True,
            "currency": "usd",
            "unit_amount": amount,
            "metadata": {},
            "recurring": {"interval": "month", "usage_type": "metered" if metered else "licensed"},
        }
        return price_id

    def measure(self, event_name: str) -> None:
        """Put a meter into the catalogue."""
        self.meters[event_name] = {
            "id": self.new("mtr"),
            "object": "billing.meter",
            "event_name": event_name,
        }

    def pay(self, session_id: str) -> Params:
        """Somebody pays on the Checkout page; answers the new subscription."""
        session = self.sessions[session_id]
        assert session["status"] == "open", "Nobody can pay on a page that was closed."
        session["status"] = "complete"
        asked = session["asked"]
        return self.subscribe(session["customer"], asked["line_items"], asked["subscription_data"])

    def subscribe(self, customer: str, items: list[Params], data: Params) -> Params:
        subscription = {
            "id": self.new("sub"),
            "object": "subscription",
            "customer": customer,
            "status": "active",
            "created": int(time.time()) + next(self.numbers),
            "cancel_at": None,
            "cancel_at_period_end": False,
            "metadata": data.get("metadata", {}),
            "items": {"object": "list", "data": [self.item(item["price"]) for item in items]},
        }
        self.subscriptions[subscription["id"]] = subscription
        self.bill(subscription)
        return subscription

    def item(self, price_id: str) -> Params:
        month = this_month()
        return {
            "id": self.new("si"),
            "object": "subscription_item",
            "price": self.prices[price_id],
            "current_period_start": int(month.begins.timestamp()),
            "current_period_end": int(month.ends.timestamp()),
        }

    def bill(self, subscription: Params, status: str = "paid", tax: int = 0) -> Params:
        """Issue an invoice for what a subscription costs a month."""
        month, at = this_month(), int(time.time())
        lines = [
            {
                "id": self.new("il"),
                "object": "line_item",
                "description": "Pro (at $29.00 / month)",
                "quantity": 1,
                "amount": item["price"]["unit_amount"],
                "period": {
                    "start": int(month.begins.timestamp()),
                    "end": int(month.ends.timestamp()),
                },
            }
            for item in subscription["items"]["data"]
            if item["price"]["recurring"]["usage_type"] == "licensed"
        ]
        invoice_id = self.new("in")
        self.invoices[invoice_id] = {
            "id": invoice_id,
            "object": "invoice",
            "customer": subscription["customer"],
            "status": status,
            "number": None if status == "draft" else f"ABCD-{len(self.invoices) + 1:04}",
            "currency": "usd",
            "total": sum(line["amount"] for line in lines) + tax,
            "created": at,
            "period_start": at,
            "period_end": at,
            "hosted_invoice_url": f"https://invoice.stripe.test/{invoice_id}",
            "status_transitions": {
                "finalized_at": None if status == "draft" else at,
                "paid_at": at if status == "paid" else None,
            },
            "lines": {"object": "list", "data": lines},
        }
        return self.invoices[invoice_id]

    def event(self, kind: str, about: Params) -> str:
        """The body of a webhook, with what is so at this moment."""
        event = {
            "id": self.new("evt"),
            "object": "event",
            "type": kind,
            "created": int(time.time()),
            "data": {"object": about},
        }
        return json.dumps(event)

    @staticmethod
    def signature(body: str, secret: str = SECRET, at: float | None = None) -> str:
        """The header that proves who sent a webhook, and when."""
        moment = int(time.time() if at is None else at)
        signed = hmac.new(secret.encode(), f"{moment}.{body}".encode(), hashlib.sha256)
        return f"t={moment},v1={signed.hexdigest()}"

    def asked_for(self, method: str, path: str) -> list[Call]:
        """The calls of one kind that came in."""
        return [call for call in self.calls if (call.method, call.path) == (method, f"/v1/{path}")]

    def new(self, prefix: str) -> str:
        return f"{prefix}_{next(self.numbers):06}"

    # What Stripe does when it's called.

    def take(self, call: Call) -> Any:
        if self.is_down:
            raise Refusal(503, "We are having problems.", "api_error")
        if call.headers.get("authorization") != f"Bearer {KEY}":
            raise Refusal(401, "Invalid API Key provided.")
        if call.headers.get("stripe-version") != _ApiVersion.CURRENT:
            raise Refusal(400, "That isn't the version that this SDK was made for.")
        for method, pattern, known, work in ROUTES:
            found = pattern.match(call.path)
            if method == call.method and found:
                if unknown := call.params.keys() - known:
                    raise Refusal(400, f"Received unknown parameter: {min(unknown)}")
                return self.once(call, lambda: work(self, call.params, *found.groups()))  # noqa: B023
        raise Refusal(404, f"Unrecognized request URL ({call.method}: {call.path}).")

    def once(self, call: Call, work: Callable[[], Any]) -> Any:
        """A POST with a key that came before is answered as before."""
        if call.method == "GET":
            return work()
        key = call.headers.get("idempotency-key")
        if not key or len(key) > 255:
            raise Refusal(400, "A POST needs an Idempotency-Key of at most 255 characters.")
        what = json.dumps([call.path, call.params], sort_keys=True)
        if key not in self.done:
            self.done[key] = what, work()
        before, answer = self.done[key]
        if before != what:
            raise Refusal(400, "Keys can only be used once.", "idempotency_error")
        return answer

    @answers("POST", "customers", "name", "email", "metadata")
    def make_customer(self, params: Params) -> Params:
        customer = {"id": self.new("cus"), "object": "customer", **params}
        self.customers[customer["id"]] = customer
        return customer

    @answers("GET", "prices", "lookup_keys", "active", "limit")
    def list_prices(self, params: Params) -> Params:
        wanted = params["lookup_keys"]
        return listed(one for one in self.prices.values() if one["lookup_key"] in wanted)

    @answers(
        "POST",
        "prices",
        "currency",
        "unit_amount",
        "recurring",
        "product_data",
        "metadata",
        "lookup_key",
        "transfer_lookup_key",
        "billing_scheme",
        "tiers_mode",
        "tiers",
    )
    def make_price(self, params: Params) -> Params:
        if ("tiers" in params) == ("unit_amount" in params):
            raise Refusal(400, "A price has tiers or an amount.")
        if params["recurring"].get("usage_type") == "metered":
            assert params["recurring"]["meter"] in {meter["id"] for meter in self.meters.values()}
        for old in self.prices.values():
            if old["lookup_key"] == params["lookup_key"]:
                if params.get("transfer_lookup_key") != "true":
                    raise Refusal(400, "A price already uses that lookup key.")
                old["lookup_key"] = None
        price = {"id": self.new("price"), "object": "price", "active": True, **params}
        price["recurring"].setdefault("usage_type", "licensed")
        if "unit_amount" in price:
            price["unit_amount"] = int(price["unit_amount"])
        self.prices[price["id"]] = price
        return price

    @answers("GET", "billing/meters", "status", "limit")
    def list_meters(self, _params: Params) -> Params:
        return listed(self.meters.values())

    @answers("POST", "billing/meters", "display_name", "event_name", "default_aggregation")
    def make_meter(self, params: Params) -> Params:
        meter = {"id": self.new("mtr"), "object": "billing.meter", **params}
        self.meters[params["event_name"]] = meter
        return meter

    @answers(
        "POST",
        "checkout/sessions",
        "mode",
        "customer",
        "client_reference_id",
        "line_items",
        "subscription_data",
        "success_url",
        "cancel_url",
    )
    def make_session(self, params: Params) -> Params:
        self.known(self.customers, params["customer"])
        for item in params["line_items"]:
            metered = self.known(self.prices, item["price"])["recurring"]["usage_type"] == "metered"
            if metered == ("quantity" in item):
                raise Refusal(400, "A quantity is for licensed prices, and only for them.")
        session_id = self.new("cs")
        self.sessions[session_id] = {
            "id": session_id,
            "object": "checkout.session",
            "url": f"https://checkout.stripe.test/{session_id}",
            "customer": params["customer"],
            "status": "open",
            "asked": params,
        }
        return self.sessions[session_id]

    @answers("GET", "checkout/sessions", "customer", "status")
    def list_sessions(self, params: Params) -> Params:
        mine = (one for one in self.sessions.values() if one["customer"] == params["customer"])
        return listed(one for one in mine if one["status"] == params["status"])

    @answers("POST", "checkout/sessions/{id}/expire")
    def expire_session(self, _params: Params, session_id: str) -> Params:
        self.sessions[session_id]["status"] = "expired"
        return self.sessions[session_id]

    @answers("POST", "billing_portal/sessions", "customer", "return_url")
    def make_portal(self, params: Params) -> Params:
        self.known(self.customers, params["customer"])
        session_id = self.new("bps")
        return {
            "id": session_id,
            "object": "billing_portal.session",
            "url": f"https://portal.stripe.test/{session_id}",
        }

    @answers("GET", "subscriptions", "customer", "status", "limit")
    def list_subscriptions(self, params: Params) -> Params:
        customer = params["customer"]
        return listed(one for one in self.subscriptions.values() if one["customer"] == customer)

    @answers("GET", "subscriptions/{id}")
    def show_subscription(self, _params: Params, subscription_id: str) -> Params:
        return self.known(self.subscriptions, subscription_id)

    @answers(
        "POST",
        "subscriptions/{id}",
        "items",
        "metadata",
        "proration_behavior",
        "payment_behavior",
        "cancel_at",
        "cancel_at_period_end",
    )
    def change_subscription(self, params: Params, subscription_id: str) -> Params:
        subscription = self.known(self.subscriptions, subscription_id)
        if self.declines:
            raise Refusal(402, "Your card was declined.", "card_error")
        items = subscription["items"]["data"]
        for change in params.get("items", []):
            if change.get("deleted") == "true":
                items[:] = [one for one in items if one["id"] != change["id"]]
            else:
                items.append(self.item(change["price"]))
        if "cancel_at_period_end" in params:
            subscription["cancel_at_period_end"] = params["cancel_at_period_end"] == "true"
        if params.get("cancel_at") == "":
            subscription["cancel_at"] = None
        return subscription

    @answers("GET", "invoices", "customer", "limit")
    def list_invoices(self, params: Params) -> Params:
        customer = params["customer"]
        return listed(one for one in self.invoices.values() if one["customer"] == customer)

    @answers("POST", "billing/meter_events", "event_name", "identifier", "timestamp", "payload")
    def take_meter_event(self, params: Params) -> Params:
        self.known(self.customers, params["payload"]["stripe_customer_id"])
        if params["event_name"] not in self.meters:
            raise Refusal(400, f"No active meter found for event name {params['event_name']}")
        if params["identifier"] in self.meter_events:
            raise Refusal(400, f"An event already exists with identifier {params['identifier']}")
        self.meter_events[params["identifier"]] = params
        return {"object": "billing.meter_event", **params}

    @staticmethod
    def known(among: dict[str, Params], key: str) -> Params:
        if key not in among:
            raise Refusal(404, f"No such object: {key}")
        return among[key]


def listed(found: Any) -> Params:
    return {"object": "list", "data": list(found), "has_more": False}


def handler_of(stripe: StripeStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"  # No connection outlives its test.

        def answer(self) -> None:
            address = urlsplit(self.path)
            size = int(self.headers.get("Content-Length") or 0)
            sent = self.rfile.read(size).decode() or address.query
            headers = {name.lower(): value for name, value in self.headers.items()}
            call = Call(self.command, address.path, headers, nested(sent))
            stripe.calls.append(call)
            stripe.before_answer(call)
            try:
                status, body = 200, stripe.take(call)
            except Refusal as refusal:
                status, body = refusal.status, refusal.body
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = answer  # noqa: N815

        def log_message(self, *_args: Any) -> None:
            """Tests need no log of it."""

    return Handler


def nested(form: str) -> Params:
    """A form as Stripe reads it: `items[0][price]=x` is a list of dictionaries."""
    tree: Params = {}
    for name, value in parse_qsl(form, keep_blank_values=True):
        first, *rest = re.findall(r"[^\[\]]+", name)
        here, last = tree, first
        for part in rest:
            here, last = here.setdefault(last, {}), part
        here[last] = value
    return with_lists(tree)


def with_lists(tree: Any) -> Any:
    if not isinstance(tree, dict):
        return tree
    if tree and all(key.isdigit() for key in tree):
        return [with_lists(tree[key]) for key in sorted(tree, key=int)]
    return {key: with_lists(value) for key, value in tree.items()}
