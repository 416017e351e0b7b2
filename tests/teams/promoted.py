"""Runs in a team's project after the climb: its data moves into four databases, row by row.

    uv run python promoted.py FOLDER [--again] [--rows-only] [--journey] [PAGE=TEXT ...]

Compares both sides with its own eyes, not with promote's. Then it starts the four services on the
new databases and asks them, through the gateway, whether all is well; with pages it also logs in
as somebody from the prototype and looks for the team's rows there. With --journey a browser walks
through the whole product, where there is a browser. With --again the data are there already, as
the stage before left them: only what the new stage makes of them is looked at. With --rows-only
no service is started.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

import sqlalchemy as sa
from app import create_app, stage
from app.db import METADATA
from app.dev.postgres import Postgres, free_port

SERVICES = ("auth", "billing", "analytics", "features")
FLASK = [sys.executable, "-m", "flask"]
PATIENCE = 120
TENANTS = """
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
  AND c.relname NOT LIKE 'auth\\_%'
"""
WALLED = "c.relrowsecurity AND c.relforcerowsecurity"
WITHOUT_WALLS = f"SELECT c.relname {TENANTS} AND NOT ({WALLED})"
WITH_WALLS = f"SELECT count(*) {TENANTS} AND {WALLED}"
JOURNEY, AGAIN, ROWS_ONLY = "--journey", "--again", "--rows-only"


def main(folder: str, *options: str) -> None:
    pages = dict(
        option.split("=", 1) for option in options if option not in {JOURNEY, AGAIN, ROWS_ONLY}
    )
    create_app({"app_env": "development"})  # The team's models, too.
    source = f"sqlite:///{Path('instance/app.db').absolute().as_posix()}"
    with Postgres(Path(folder)) as server:
        os.environ.update(made_on(server))
        seen = {service: server.url(service) for service in SERVICES}
        owners = {one: os.environ[f"{one.upper()}_MIGRATIONS_DATABASE_URL"] for one in SERVICES}
        if AGAIN in options:
            before: Rows = sum((rows_of(url) for url in seen.values()), Counter())
        else:
            before = rows_of(source)
            promote(source, owners)
            compare(before, seen)
            assert rows_of(source) == before, "the old database was changed"
        migrate(owners)
        compare(before, seen)
        for service, url in seen.items():
            look_at_walls(service, url)
        if ROWS_ONLY in options:
            return
        look(pages, "journey" if JOURNEY in options else "smoke")


def made_on(server: Postgres) -> dict[str, str]:
    """Four databases, each with an owner and a role that its service works as: their settings."""
    urls = {"ADMIN_DATABASE_URL": server.url("postgres")}
    for service in SERVICES:
        place = sa.make_url(server.url(service))
        for kind, role in (("", service), ("_MIGRATIONS", f"{service}_owner")):
            url = place.set(username=role, password="of-a-test")
            urls[f"{service.upper()}{kind}_DATABASE_URL"] = url.render_as_string(False)
    command = [sys.executable, "-m", "app.stages.services.databases"]
    subprocess.run(command, env=os.environ | urls, check=True, stdout=subprocess.DEVNULL)
    return urls


def migrate(owners: dict[str, str]) -> None:
    """What a release does for each service: a later stage builds its walls then."""
    for service, owner in owners.items():
        neighbours = {f"{one.upper()}_URL": "http://127.0.0.1" for one in SERVICES}
        alone = {
            "SERVES": service,
            "DATABASE_URL": os.environ[f"{service.upper()}_DATABASE_URL"],
            "MIGRATIONS_DATABASE_URL": owner,
            "REDIS_URL": "redis://127.0.0.1",
            **dict.fromkeys(f"{one.upper()}_DATABASE_URL" for one in SERVICES),
        }
        env = {name: value for name, value in (os.environ | neighbours | alone).items() if value}
        command = [*FLASK, "db", "upgrade"]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{service}\n{done.stdout}\n{done.stderr}"


def promote(source: str, targets: dict[str, str]) -> None:
    where = [text for service, url in targets.items() for text in (f"--{service}", url)]
    for step in ("plan", "copy", "finish"):
        command = [*FLASK, "promote", step, "--from", source, *where]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"promote {step}\n{done.stdout}\n{done.stderr}"
    print(done.stdout)


Rows = Counter[tuple[str, str, str]]


def rows_of(url: str) -> Rows:
    """Each row as (table, tenant, content), as the application reads it."""
    engine = sa.create_engine(url)
    present = set(sa.inspect(engine).get_table_names())
    found: Rows = Counter()
    with engine.connect() as connection:
        for metadata in METADATA.values():
            for name, table in metadata.tables.items():
                if name in present:
                    for row in connection.execute(sa.select(table)).mappings():
                        content = repr({key: plain(value) for key, value in row.items()})
                        found[name, str(row.get("tenant_id")), content] += 1
    engine.dispose()
    return found


def plain(value: object) -> object:
    if isinstance(value, datetime):
        return (
            value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        ).isoformat()
    return value.normalize() if isinstance(value, Decimal) else value


def compare(before: Rows, targets: dict[str, str]) -> None:
    after: Rows = Counter()
    for url in targets.values():
        after += rows_of(url)
    assert after == before, f"lost {list(before - after)[:3]}, new {list(after - before)[:3]}"
    tenants: Counter[str] = Counter()
    for (_table, tenant, _content), count in before.items():
        tenants[tenant] += count
    print(json.dumps({"rows": before.total(), "tenants": tenants}))


def look_at_walls(service: str, url: str) -> None:
    """From the hardened stage on, every table of a tenant's has one, the team's too."""
    if stage.names()[-1:] == ["services"]:
        return
    with sa.create_engine(url).connect() as connection:
        open_ones = list(connection.scalars(sa.text(WITHOUT_WALLS)))
        walled = connection.scalar(sa.text(WITH_WALLS))
    assert not open_ones, f"{service}: no wall around {open_ones}"
    print(f"{service}: {walled} tables have walls")


# --- The system on its new databases -------------------------------------------------------------


def look(pages: dict[str, str], steps: str) -> None:
    port = free_port()
    command = [*FLASK, "dev", "--port", str(port), "--gunicorn"]
    with open("instance/system.log", "w") as log:
        system = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            wait_for(f"http://127.0.0.1:{port}/readyz", system)
            walk(f"http://127.0.0.1:{port}", steps)
            if pages:
                visit(f"http://127.0.0.1:{port}", pages)
        except BaseException:
            print(Path("instance/system.log").read_text("utf-8")[-9000:], file=sys.stderr)
            raise
        finally:
            with suppress(ProcessLookupError):
                os.killpg(system.pid, signal.SIGINT)
            try:
                system.wait(timeout=60)
            except subprocess.TimeoutExpired:
                os.killpg(system.pid, signal.SIGKILL)
                raise


def visit(address: str, pages: dict[str, str]) -> None:
    """Log in as one of the people from the prototype, and find what they had there."""
    jar = CookieJar()
    browser = build_opener(HTTPCookieProcessor(jar))
    form = read(browser, f"{address}/login")
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form)
    assert token, form
    assert [cookie.name for cookie in jar] == ["session"], "the form's session didn't stay"
    typed = {
        "csrf_token": token[1],
        "email": "ada@acme.example",
        "password": "demo-password-1",
    }
    read(browser, f"{address}/login", urlencode(typed).encode())
    for page, text in pages.items():
        shown = read(browser, f"{address}{page}")
        assert text in shown, f"{page} doesn't say {text!r}:\n{shown[:3000]}"
        print(f"{page} says {text!r}")


def read(browser: OpenerDirector, url: str, body: bytes | None = None) -> str:
    """A page; an error with all that it says, not only its number."""
    try:
        return browser.open(url, body).read().decode()
    except HTTPError as error:
        with error:
            raise AssertionError(
                f"{error.url} answered {error.code}:\n{error.headers}\n{error.read().decode()}"
            ) from None


def wait_for(url: str, system: "subprocess.Popen[bytes]") -> None:
    """Wait until it answers; if it has ended, whoever answers there is somebody else."""
    deadline = time.monotonic() + PATIENCE
    reason: object = "it ended"
    while time.monotonic() < deadline and system.poll() is None:
        try:
            build_opener().open(url, timeout=5).read()
            return
        except (URLError, OSError) as error:
            reason = error
            time.sleep(0.2)
    raise SystemExit(f"{url} doesn't answer: {reason}")


def walk(address: str, steps: str) -> None:
    """The project's own journey through the system at an address, or its smoke tests alone."""
    command = [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", "-m", steps]
    began = time.monotonic()
    done = subprocess.run(
        [*command, "tests/journey"],
        env=os.environ | {"JOURNEY_URL": address},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    print(f"{steps}: {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
