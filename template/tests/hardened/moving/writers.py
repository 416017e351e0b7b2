"""People who write all the time, and who remember each write that was acknowledged."""

import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from flask import Flask
from sqlalchemy import delete, select, text

from app.db import db
from app.features.projects.models import Project
from app.stages.hardened.walls.transactions import BeingMoved, Elsewhere
from app.tenancy import Tenant, serving

PATIENCE_SECONDS = 30.0


@dataclass
class Writer:
    """Inserts, updates and deletes rows of its own, through the application's session."""

    app: Flask
    tenant: Tenant
    slow: bool = False
    pause: float = 0.0
    patience: float = PATIENCE_SECONDS
    known: dict[UUID, str] = field(default_factory=dict)
    deleted: set[UUID] = field(default_factory=set)
    errors: list[Exception] = field(default_factory=list)
    waits: int = 0
    longest: float = 0.0
    count: int = 0
    times: list[float] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    def start(self) -> "Writer":
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()
        return self

    def stop(self) -> None:
        self.over.set()
        assert self.thread is not None
        self.thread.join()

    def work(self) -> None:
        chance = random.Random(id(self))  # Which row is written is no secret.
        last = time.monotonic()
        while not self.over.is_set():
            try:
                self.write(chance)
            except Exception as error:
                self.errors.append(error)
                return
            self.times.append(time.monotonic() - last)
            self.longest = max(self.longest, self.times[-1])
            self.count += 1
            self.over.wait(max(0, self.pause - self.times[-1]))
            last = time.monotonic()

    def write(self, chance: random.Random) -> None:
        """One write, sent again while the tenant's data are on their way."""
        kind = chance.choice(("insert", "insert", "update", "delete"))
        row_id = uuid4() if kind == "insert" or not self.known else chance.choice([*self.known])
        name = f"{kind} {self.count}"
        until = time.monotonic() + self.patience
        while True:
            try:
                with self.app.app_context(), serving(self.tenant):
                    self.commit(kind, row_id, name)
                break
            except (Elsewhere, BeingMoved):
                self.waits += 1
                if time.monotonic() > until:
                    raise
        if row_id in self.known and kind == "delete":
            del self.known[row_id]
            self.deleted.add(row_id)
        else:
            self.known[row_id] = name

    def commit(self, kind: str, row_id: UUID, name: str) -> None:
        if row_id not in self.known:
            row = Project(id=row_id, name=name, created_by=uuid4())
            db.session.add(row)
        elif kind == "update":
            db.session.scalars(select(Project).where(Project.id == row_id)).one().name = name
        else:
            db.session.execute(delete(Project).where(Project.id == row_id))
        if self.slow:
            db.session.flush()
            db.session.execute(
                text("SELECT pg_sleep(0.2)"), execution_options={"across_tenants": "it only sleeps"}
            )
        db.session.commit()


def wrong(writers: list[Writer], rows: dict[UUID, str]) -> dict[str, Any]:
    """What was acknowledged and isn't there, or isn't as it was acknowledged."""
    lost, other, back = [], [], []
    for writer in writers:
        for row_id, name in writer.known.items():
            if row_id not in rows:
                lost.append(row_id)
            elif rows[row_id] != name:
                other.append(row_id)
        back += [row_id for row_id in writer.deleted if row_id in rows]
    return {
        "lost": lost,
        "wrong": other,
        "back": back,
        "errors": [e for w in writers for e in w.errors],
    }


NOTHING: dict[str, Any] = {"lost": [], "wrong": [], "back": [], "errors": []}
