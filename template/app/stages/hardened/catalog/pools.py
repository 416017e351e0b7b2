"""Connections to silos: of thousands, a process keeps those open that were used last."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any

import psycopg
import structlog
from flask import Flask
from prometheus_client import Counter
from sqlalchemy import URL, event, make_url

from app.db import Pair, make_pair
from app.errors import Refused
from app.stages.hardened.catalog.drivers import engine_url
from app.stages.hardened.catalog.health import Servers, SiloAway, refused
from app.stages.hardened.catalog.passwords import next_password
from app.stages.hardened.catalog.places import Target

log = structlog.get_logger()

FAILED = Counter(
    "silo_connections_failed_total", "Connections to silos that failed.", ("service", "release")
)

# For each of the two engines of a silo. All threads may work for one tenant, for a moment.
OPTIONS: dict[str, Any] = {"pool_size": 1, "max_overflow": 3, "pool_timeout": 1}


class Pools:
    """The engines of the silos that were used most recently."""

    def __init__(self, app: Flask, most: int, at_once: int) -> None:
        self.app = app
        self.most = most
        settings = app.config["SETTINGS"]
        failed = FAILED.labels(settings.service, settings.release)
        self.servers = Servers(at_once, failed.inc)
        self.pairs: OrderedDict[str, Pair] = OrderedDict()
        self.lock = Lock()

    def pair_of(self, target: Target) -> Pair:
        """The engines of a target, made if need be. Raises `SiloAway`."""
        # Whatever is said of it anew, such as a new password, makes new connections.
        key = repr(target)
        with self.lock:
            pair = self.pairs.get(key)
            if pair is None:
                pair = self.pairs[key] = self.make(target)
            self.pairs.move_to_end(key)
            surplus = self.surplus()
        for old in surplus:
            close(old)
        return pair

    def make(self, target: Target) -> Pair:
        try:
            url = engine_url(target)
        except Refused as refusal:
            log.error("silo can't be reached", target=target.name, reason=str(refusal))
            raise SiloAway() from refusal
        pair = make_pair(self.app, url, {"url": url, **OPTIONS})
        for engine in pair:
            event.listen(engine, "do_connect", self.connector(target, url))
        return pair

    def connector(self, target: Target, url: str) -> Callable[..., Any]:
        """Connects where that makes sense."""
        latest = [make_url(url)]

        def connect(dialect: Any, _record: Any, cargs: Any, cparams: Any) -> Any:
            def at(where: URL) -> Any:
                return dialect.connect(*cargs, **cparams | dialect.create_connect_args(where)[1])

            known = latest[0]
            with self.servers.trying(f"{known.host}:{known.port}", known.database or ""):
                try:
                    return at(known)
                except psycopg.Error as error:
                    changed = self.changed(target, known, error)
                    if changed is None:
                        raise
                made = at(changed)
            if target.kind != "silo":  # A silo's new password is in the catalog before long.
                latest[0] = changed
            return made

        return connect

    def changed(self, target: Target, known: URL, error: psycopg.Error) -> URL | None:
        """Where a target is by now and with which password, if that isn't what we knew."""
        if target.kind == "silo":
            if not refused(error):
                return None
            with self.app.app_context():
                password = next_password(target)
            return known.set(password=password) if password else None
        # Where it is was said by somebody else, who may say otherwise by now.
        try:
            with self.app.app_context():
                found = make_url(engine_url(target))
        except Refused as refusal:
            log.error("silo can't be reached", target=target.name, reason=str(refusal))
            return None
        return found if found != known else None

    def surplus(self) -> list[Pair]:
        """Take out the pairs that are too many: the least recent ones that nobody uses just now."""
        found = []
        for key in list(self.pairs)[:-1]:
            if len(self.pairs) <= self.most:
                break
            if is_idle(self.pairs[key]):
                found.append(self.pairs.pop(key))
        return found

    def close(self) -> None:
        """Close all of them."""
        with self.lock:
            pairs = list(self.pairs.values())
            self.pairs.clear()
        for pair in pairs:
            close(pair)


def is_idle(pair: Pair) -> bool:
    pools: list[Any] = [engine.pool for engine in pair]
    return all(pool.checkedout() == 0 for pool in pools)


def close(pair: Pair) -> None:
    for engine in pair:
        engine.dispose()
