"""A real PgBouncer in front of a PostgreSQL, where one is installed."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from app.dev.postgres import free_port, somebody_listens


@contextmanager
def pgbouncer(
    server_port: int,
    users: Mapping[str, str],
    files: Mapping[str, bytes] | None = None,
    **options: object,
) -> Iterator[int]:
    """Its port; `users` and their passwords, `files` beside its configuration, and options.

    An option may name a file as `{folder}/name`. Skips the test where there is no PgBouncer.
    """
    program = shutil.which("pgbouncer")
    if program is None:
        pytest.skip("PgBouncer isn't here: apt-get install pgbouncer")
    port = free_port()
    with TemporaryDirectory(prefix="bouncer-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # It doesn't run as root.
        known = "".join(f'"{user}" "{password}"\n' for user, password in users.items())
        for file, content in {"users": known.encode(), **(files or {})}.items():
            (folder / file).write_bytes(content)
        lines = {
            "listen_addr": "127.0.0.1",
            "listen_port": port,
            "unix_socket_dir": "",
            "auth_file": "{folder}/users",
            **options,
        }
        said = "".join(f"{key} = {value}\n" for key, value in lines.items())
        config = folder / "bouncer.ini"
        config.write_text(
            f"[databases]\n* = host=127.0.0.1 port={server_port}\n[pgbouncer]\n"
            + said.replace("{folder}", str(folder))
        )
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        process = subprocess.Popen([program, "-q", *user, str(config)])
        try:
            deadline = time.monotonic() + 30
            while not somebody_listens(port):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield port
        finally:
            process.terminate()
            process.wait()
