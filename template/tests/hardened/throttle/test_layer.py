"""The layer in front: what passes, what is refused, and whose bucket a request takes from."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import request

from app.stages.hardened.throttle import edge, layer
from app.stages.hardened.throttle.allowances import OVERRIDES, Allowance, Override
from app.stages.hardened.throttle.buckets import Buckets
from app.stages.hardened.throttle.layer import Throttle
from app.stages.services import identity_store
from tests.billing.subscribers import grant
from tests.world import sign_in

API = {"Accept": "application/json"}


@pytest.fixture
def throttled(app, make_app):
    """The application with a small allowance, over the rows that the tests make."""
    return make_app(throttle="1:5", throttle_address="1:8")


@pytest.fixture
def acme_here(throttled, acme):
    return sign_in(throttled, acme)


def ask(company, path="/settings", **options):
    """An answer that was read to its end, as a server does before it takes the next request."""
    return company.get(path, buffered=True, **options)


def statuses(company, count):
    return [ask(company).status_code for _ in range(count)]


def test_a_workspace_has_so_many_at_once_and_then_is_refused(acme_here):
    # The first page writes into the session, so it's the second one's cookie that is known then.
    assert statuses(acme_here, 2) == [200, 200]

    found = statuses(acme_here, 8)

    assert found.count(200) in {5, 6}  # A second may begin meanwhile.
    assert set(found) == {200, 429}
    refused = ask(acme_here)
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "1"
    assert refused.headers["RateLimit-Policy"] == '"workspace";q=5;w=5'
    assert refused.headers["RateLimit"].startswith('"workspace";r=0;t=')
    assert b"Too many requests" in refused.data


def test_programs_get_a_problem_document(acme_here):
    ask(acme_here)
    statuses(acme_here, 8)

    refused = ask(acme_here, "/api/v1/projects/", headers=API)

    assert refused.status_code == 429
    assert refused.mimetype == "application/problem+json"
    assert refused.json["status"] == 429


def test_who_waits_as_long_as_told_is_let_in(acme_here):
    ask(acme_here)
    statuses(acme_here, 8)

    time.sleep(int(ask(acme_here).headers["Retry-After"]) + 0.05)

    assert ask(acme_here).status_code == 200


def test_a_neighbour_notices_nothing(throttled, acme_here, initech):
    neighbour = sign_in(throttled, initech)
    ask(neighbour)
    ask(acme_here)

    assert 429 in statuses(acme_here, 10)

    assert statuses(neighbour, 3) == [200, 200, 200]


def test_a_plan_has_its_own_allowance_and_a_new_one_counts_within_seconds(
    make_app, acme, monkeypatch
):
    plans = "free=1:2, pro=1000:1000"
    here = sign_in(make_app(throttle="1:50", throttle_plans=plans, throttle_address="1:50"), acme)
    ask(here)
    assert 429 in statuses(here, 6)

    grant(acme, "pro")
    monkeypatch.setattr(layer, "LATELY_SECONDS", 0)  # As if some seconds had passed.
    time.sleep(1.05)  # Now one may pass, and is seen to be on the other plan.

    assert set(statuses(here, 20)) == {200}


def test_while_billing_is_away_the_plan_that_was_known_holds(make_app, acme, monkeypatch, request):
    plans = "free=1000:1000"
    here = sign_in(make_app(throttle="1:2", throttle_plans=plans, throttle_address="1:50"), acme)
    statuses(here, 2)
    monkeypatch.setattr(layer, "LATELY_SECONDS", 0)
    request.getfixturevalue("billing_away")

    assert set(statuses(here, 20)) == {200}


def test_a_credential_is_noted_now_and_then_not_with_each_request(throttled, acme_here):
    statuses(acme_here, 2)  # The first answer changes the session's cookie.
    throttle: Throttle = throttled.extensions["throttle"]
    noted = dict(throttle.known.seen)

    statuses(acme_here, 2)

    assert throttle.known.seen == noted


def test_a_stranger_uses_up_their_own_address_not_the_workspace(throttled, acme_here):
    ask(acme_here)
    stranger = throttled.test_client()
    elsewhere = {"REMOTE_ADDR": "203.0.113.9"}

    found = [
        stranger.get("/t/acme/settings", environ_base=elsewhere, buffered=True).status_code
        for _ in range(12)
    ]

    assert 429 in found
    assert ask(acme_here).status_code == 200


def test_a_made_up_credential_is_a_stranger(throttled, acme_here):
    ask(acme_here)
    stranger = throttled.test_client()
    for number in range(12):
        stranger.get(
            "/t/acme/api/v1/projects/",
            headers={"Authorization": f"Bearer sct_{number}"},
            environ_base={"REMOTE_ADDR": "203.0.113.9"},
        )

    assert ask(acme_here).status_code == 200


def test_a_household_is_one_address_however_many_it_has(throttled):
    stranger = throttled.test_client()

    found = [
        stranger.get(
            "/t/acme/settings", environ_base={"REMOTE_ADDR": f"2001:db8::{n:x}"}, buffered=True
        ).status_code
        for n in range(12)
    ]

    assert 429 in found


def test_addresses_outside_of_workspaces_are_not_counted(throttled):
    client = throttled.test_client()

    assert {client.get("/healthz").status_code for _ in range(20)} == {200}


def test_an_exception_holds_within_a_second_and_ends(make_app, acme, valkey):
    here = sign_in(make_app(throttle="1:2", redis_url=valkey), acme)
    ask(here)
    assert 429 in statuses(here, 5)
    redis = identity_store.client_of(valkey, 5)

    override = Override(Allowance(1000, 1000), time.time() + 60, "a migration of theirs")
    redis.hset(OVERRIDES, "acme", override.dump())
    throttle: Throttle = here.app.extensions["throttle"]
    throttle.allowances.due = 0

    assert set(statuses(here, 20)) == {200}


def test_eight_hundred_at_once_get_exactly_the_burst(valkey):
    buckets = Buckets(valkey)
    allowance = Allowance(1, 100)
    began = int(time.time())
    with ThreadPoolExecutor(16) as pool:
        passed = sum(pool.map(lambda _: buckets.take("acme", allowance).passes, range(800)))

    assert 100 <= passed <= 100 + int(time.time()) - began


def test_two_processes_share_a_bucket(valkey):
    one, other = Buckets(valkey), Buckets(valkey)
    allowance = Allowance(1, 10)

    passed = [buckets.take("acme", allowance).passes for _ in range(10) for buckets in (one, other)]

    assert 10 <= sum(passed) <= 12


def test_a_hung_redis_costs_one_patience_and_then_nothing(valkey_server, valkey):
    buckets = Buckets(valkey)
    allowance = Allowance(1, 5)
    assert buckets.take("acme", allowance).passes
    pid = int(identity_store.client_of(valkey, 5).info("server")["process_id"])
    os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        passed = [buckets.take("acme", allowance).passes for _ in range(20)]
        took = time.monotonic() - began
    finally:
        os.kill(pid, signal.SIGCONT)

    assert 5 <= sum(passed) <= 7  # Counted here meanwhile: neither all nor none.
    assert took < 2


def test_one_workspace_holds_its_share_of_the_threads(make_app, acme, initech):
    app = make_app(throttle="1000:1000", threads=4, throttle_share=0.5)
    inside, leave = threading.Semaphore(0), threading.Event()

    @app.before_request
    def wait_in_line():
        if request.args.get("slow"):
            inside.release()
            leave.wait(30)

    here, there, *busy = (sign_in(app, one) for one in (acme, initech, acme, acme))
    for company in (here, there, *busy):
        statuses(company, 2)  # The first answer changes the session's cookie.

    with ThreadPoolExecutor(2) as pool:
        slow = [pool.submit(ask, one, "/settings?slow=1") for one in busy]
        for _ in slow:
            assert inside.acquire(timeout=30)
        refused = ask(here)
        neighbour = ask(there)
        leave.set()

    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "1"
    assert neighbour.status_code == 200
    assert [answer.result().status_code for answer in slow] == [200, 200]
    assert ask(here).status_code == 200


def test_who_goes_on_although_refused_is_named_to_the_gateways(make_app, acme, valkey):
    here = sign_in(make_app(throttle="1:2", redis_url=valkey), acme)
    ask(here)

    statuses(here, 3 * edge.AFTER)

    redis = identity_store.client_of(valkey, 5)
    assert edge.turned_away(redis) == {"acme"}
    redis.zadd(edge.BANNED, {"acme": time.time() - 1})
    assert edge.turned_away(redis) == set()
