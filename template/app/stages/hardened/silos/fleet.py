"""Migrating all silos: threads that take visits from the ledger until nothing waits."""

import os
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Event, Lock, Thread
from uuid import UUID

import structlog
from sqlalchemy import Engine

from app.db import new_id
from app.stages.hardened.silos.errors import Refused
from app.stages.hardened.silos.ledger import ATTEMPTS, LEASE_SECONDS, Claim, Ledger, Standing
from app.stages.hardened.silos.migrating import NotNow, migrate
from app.stages.hardened.silos.places import Place
from app.stages.hardened.silos.rendering import Script, script_for

AT_ONCE = 4
# How long a thread rests when nothing can be taken: others are at it, or it's tried again later.
REST_SECONDS = 0.2
BACK_OFF_SECONDS = 0.5
LONGEST_ERROR = 2_000
log = structlog.get_logger()


class Scripts:
    """What silos need by their version: written down once, and agreed upon with other workers."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.known: dict[tuple[str, str], Script] = {}
        self.lock = Lock()

    def __call__(self, service: str, version: str) -> Script:
        with self.lock:
            found = self.known.get((service, version))
            if found is None:
                found = script_for(service, version)
                self.ledger.agree(service, version, found.digest, found.sql)
                self.known[service, version] = found
            return found

    def run_by_alembic(self) -> list[str]:
        """Why some of it can't be written down."""
        return sorted({found.in_process for found in self.known.values() if found.in_process})


class Fleet:
    """One worker of a run: a process with some threads."""

    def __init__(
        self, engine: Engine, run_id: UUID, places: Mapping[str, Place], at_once: int = AT_ONCE
    ) -> None:
        self.ledger = Ledger(engine, run_id, f"{socket.gethostname()} {os.getpid()} {new_id().hex}")
        self.places = places
        self.scripts = Scripts(self.ledger)
        self.at_once = at_once
        self.stopping = Event()

    def run(self, watch: Callable[[Standing], None], every: float = 0.5) -> Standing:
        """Work until the run has ended, here or with another worker; answers how it stands."""
        renewing = Thread(target=self.renew, name="leases", daemon=True)
        renewing.start()
        try:
            with ThreadPoolExecutor(self.at_once, "silos") as pool:
                working = [pool.submit(self.work) for _ in range(self.at_once)]
                try:
                    while wait(working, timeout=every).not_done:
                        watch(self.ledger.standing())
                        for one in working:
                            if one.done():
                                one.result()  # What ended one thread ends all.
                finally:
                    self.stopping.set()
                for one in working:
                    one.result()
        finally:
            self.stopping.set()
        self.ledger.end()
        return self.ledger.standing()

    def renew(self) -> None:
        while not self.stopping.wait(LEASE_SECONDS / 3):
            try:
                self.ledger.renew()
            except Exception as error:
                log.warning("leases of silos not renewed", error=repr(error))

    def work(self) -> None:
        while not self.stopping.is_set():
            claim = self.ledger.claim()
            if claim is not None:
                self.visit(claim)
                continue
            standing = self.ledger.standing()
            if standing.state != "running" or not standing.count("waiting"):
                return
            self.stopping.wait(REST_SECONDS)

    def visit(self, claim: Claim) -> None:
        """Migrate one silo and note what came of it. One that can't be is no reason to stop."""
        place = self.places.get(claim.place)
        if place is None:
            self.ledger.gone(claim)
            return
        try:
            outcome, version = migrate(place, self.scripts)
        except NotNow as error:
            if claim.attempts < ATTEMPTS:
                self.ledger.put_off(claim, said(error), BACK_OFF_SECONDS * 2**claim.attempts)
            else:
                self.ledger.failed(claim, place, said(error))
        except Refused:
            raise
        except Exception as error:
            self.ledger.failed(claim, place, said(error))
        else:
            self.ledger.done(place, outcome, version)


def said(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text[:LONGEST_ERROR]
