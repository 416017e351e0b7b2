"""The layer in front of the application: it refuses before a request costs anything.

It looks at the address and at what the client sends, never into the database. A credential that
was seen to be good for a workspace (`learning`) takes from the workspace's bucket; everything else
takes from the bucket of the address it comes from, so that strangers who call a workspace's
address can't use up its allowance.
"""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable
from threading import Lock
from time import monotonic
from typing import Any

import orjson
import structlog
from flask import Flask
from prometheus_client import Counter
from werkzeug.wsgi import ClosingIterator

from app.limits import counted_as
from app.stages.hardened.throttle import edge
from app.stages.hardened.throttle.allowances import Allowance, Allowances, of_plans
from app.stages.hardened.throttle.buckets import Buckets, Verdict
from app.stages.services import identity_store
from app.tenancy.urls import SLUG, TenantInUrl

log = structlog.get_logger()

Wsgi = Callable[..., Iterable[bytes]]
THROTTLED = Counter(
    "throttled_total",
    "Requests refused; rate: the bucket was empty, together: too many at once.",
    ("service", "release", "why"),
)
SESSION = re.compile(r"(?:^|;\s*)session=([^;]+)")
DIGEST = "app.credential_digest"
KNOWN_SECONDS, LATELY_SECONDS = 120.0, 5.0
UNSEEN: tuple[float, str | None] = 0.0, None
MOST_KNOWN = 20_000
LOG_EVERY_SECONDS = 1.0
PAGE = (
    b"<!doctype html><html lang=en><meta charset=utf-8><title>Too many requests</title>"
    b"<h1>Too many requests</h1><p>This workspace asks for more than it has room for right now. "
    b"Try again in a moment.</p></html>"
)


class Known:
    """Credentials that were good lately: which workspace they opened, and its plan."""

    def __init__(self) -> None:
        self.seen: OrderedDict[bytes, tuple[float, str | None]] = OrderedDict()
        self.lock = Lock()

    def lately(self, digest: bytes) -> bool:
        """Whether it was noted a moment ago: it needn't be noted with each request."""
        until, _ = self.seen.get(digest, UNSEEN)
        return until - KNOWN_SECONDS + LATELY_SECONDS > monotonic()

    def note(self, digest: bytes, plan: str | None) -> None:
        with self.lock:
            self.seen[digest] = monotonic() + KNOWN_SECONDS, plan
            self.seen.move_to_end(digest)
            if len(self.seen) > MOST_KNOWN:
                self.seen.popitem(last=False)

    def plan_of(self, digest: bytes) -> tuple[bool, str | None]:
        """Whether a credential is known, and the plan of its workspace."""
        until, plan = self.seen.get(digest, UNSEEN)
        return until > monotonic(), plan


class Together:
    """How many requests of each name this process works at right now."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.counts: dict[str, int] = {}
        self.lock = Lock()

    def begin(self, name: str) -> bool:
        with self.lock:
            count = self.counts.get(name, 0)
            if count >= self.most:
                return False
            self.counts[name] = count + 1
            return True

    def end(self, name: str) -> None:
        with self.lock:
            count = self.counts[name] - 1
            if count:
                self.counts[name] = count
            else:
                del self.counts[name]


class Throttle:
    """WSGI middleware: a bucket and a share of the threads for each workspace."""

    def __init__(self, app: Flask, inner: Wsgi) -> None:
        settings = app.config["SETTINGS"]
        store = identity_store.client_of(settings.redis_url, 0.25) if settings.redis_url else None
        self.inner = inner
        self.ours = settings.service, settings.release
        self.known = Known()
        self.allowances = Allowances(
            Allowance.read(settings.throttle), of_plans(settings.throttle_plans), store
        )
        self.of_addresses = Allowance.read(settings.throttle_address)
        self.buckets = Buckets(settings.redis_url)
        self.together = Together(max(1, int(settings.threads * settings.throttle_share)))
        self.edge = edge.Edge(store)
        self.logged: dict[str, tuple[float, int]] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        slug = environ.get(SLUG)
        if slug is None:
            return self.inner(environ, start_response)
        name, allowance = self.bucket_of(environ, slug)
        verdict = self.buckets.take(name, allowance)
        if not verdict.passes:
            self.note_refusal(name, slug, "rate")
            return refuse(environ, start_response, allowance, verdict)
        if not self.together.begin(name):
            self.note_refusal(name, slug, "together")
            waits = Verdict(False, verdict.left, verdict.full_in, 1)
            return refuse(environ, start_response, allowance, waits)
        return self.work(name, allowance, verdict, environ, start_response)

    def bucket_of(self, environ: dict[str, Any], slug: str) -> tuple[str, Allowance]:
        known, plan = self.known.plan_of(digest_of(environ, slug))
        if known:
            return f"workspace:{slug}", self.allowances.of(slug, plan)
        return f"address:{counted_as(environ.get('REMOTE_ADDR', ''))}", self.of_addresses

    def work(
        self,
        name: str,
        allowance: Allowance,
        verdict: Verdict,
        environ: dict[str, Any],
        start_response: Any,
    ) -> Iterable[bytes]:
        """Let it pass, and give its thread back when the whole answer is sent."""

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            return start_response(status, [*headers, *headers_of(allowance, verdict)], *error)

        try:
            answer = self.inner(environ, start)
        except BaseException:
            self.together.end(name)
            raise
        return ClosingIterator(answer, lambda: self.together.end(name))

    def note_refusal(self, name: str, slug: str, why: str) -> None:
        """Count it, say it once a second, and let the gateway know of whoever goes on."""
        THROTTLED.labels(*self.ours, why).inc()
        if name.startswith("workspace:"):
            self.edge.note(slug)
        since, count = self.logged.get(name, (0.0, 0))
        if monotonic() - since < LOG_EVERY_SECONDS:
            self.logged[name] = since, count + 1
            return
        if len(self.logged) > MOST_KNOWN:
            self.logged.clear()
        self.logged[name] = monotonic(), 0
        structlog.contextvars.clear_contextvars()  # Those of the request before, on this thread.
        log.warning("throttled", bucket=name, why=why, not_said=count)


def digest_of(environ: dict[str, Any], slug: str) -> bytes:
    """A name for the credential that the client shows, at this workspace."""
    digest: bytes | None = environ.get(DIGEST)
    if digest is None:
        shown = environ.get("HTTP_AUTHORIZATION") or session_in(environ.get("HTTP_COOKIE", ""))
        named = f"{slug}\0{shown}".encode("utf-8", "replace")
        digest = environ[DIGEST] = hashlib.blake2b(named, digest_size=16).digest()
    return digest


def session_in(cookies: str) -> str:
    found = SESSION.search(cookies)
    return found[1] if found else ""


def headers_of(allowance: Allowance, verdict: Verdict) -> list[tuple[str, str]]:
    """How much is left (draft-ietf-httpapi-ratelimit-headers)."""
    window = -(-allowance.burst // allowance.rate)
    return [
        ("RateLimit-Policy", f'"workspace";q={allowance.burst};w={window}'),
        ("RateLimit", f'"workspace";r={verdict.left};t={verdict.full_in}'),
    ]


def refuse(
    environ: dict[str, Any], start_response: Any, allowance: Allowance, verdict: Verdict
) -> list[bytes]:
    """Answer 429 with as little work as there can be."""
    program = environ.get("PATH_INFO", "").startswith("/api/")
    body = problem(verdict.again_in) if program else PAGE
    start_response(
        "429 Too Many Requests",
        [
            ("Content-Type", "application/problem+json" if program else "text/html; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("Content-Security-Policy", "default-src 'none'"),
            ("Retry-After", str(verdict.again_in)),
            *headers_of(allowance, verdict),
        ],
    )
    return [body]


def problem(seconds: int) -> bytes:
    return orjson.dumps(
        {
            "type": "about:blank",
            "title": "Too many requests",
            "status": 429,
            "detail": "This workspace asks for more than it has room for right now. "
            f"Try again in {seconds} s.",
        }
    )


def init_app(app: Flask) -> None:
    """Stand beneath what takes the tenant out of the URL, and above everything else."""
    urls: Any = app.wsgi_app
    if not isinstance(urls, TenantInUrl):
        raise TypeError("The throttle stands right beneath the tenant in the URL.")
    urls.app = app.extensions["throttle"] = Throttle(app, urls.app)
