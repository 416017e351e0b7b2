"""Attacks on the log: lines that somebody forges, and secrets that end up there."""

import contextlib
import io
from collections.abc import Iterator

import orjson
import structlog

from app import logs
from app.settings import Settings
from app.stages.hardened.attack.record import Attack
from tests.hardened.attack.attacks import attack
from tests.hardened.attack.field import Field, give_token
from tests.hardened.attack.web import ask, session_of

FORGED = "2026-01-01 forged"
NASTY = (
    f"\n{FORGED}",
    f"\r\n{FORGED}",
    f"\x1b[2K\x1b[1A{FORGED}",
    f'", "event": "{FORGED}", "x": "',
    f"\u2028{FORGED}",
    f"\x00{FORGED}",
    f"\x85{FORGED}",
)
CANARY = "zqsecretword"


@contextlib.contextmanager
def logged_as_in_production(field: Field) -> Iterator[io.StringIO]:
    """What is logged meanwhile, written as production writes it."""
    settings: Settings = field.app.config["SETTINGS"]
    production = settings.model_copy(update={"app_env": "production", "log_level": "INFO"})
    heard = io.StringIO()
    with contextlib.redirect_stderr(heard):
        logs.configure(production)
        try:
            yield heard
        finally:
            logs.configure(settings)
            structlog.contextvars.clear_contextvars()


@attack("log lines")
def log_lines(field: Field, record: Attack) -> None:
    """Line breaks, colours and JSON in whatever of a request, a job or an error is logged."""
    session_id = session_of(field, field.ours)
    here = f"/t/{field.ours.tenant.slug}"
    for nasty in NASTY:
        with logged_as_in_production(field) as heard:
            for path in (
                f"/{nasty}",
                f"{here}/{nasty}",
                f"/t/{nasty}/members",
                f"/login?next={nasty}",
            ):
                ask(field, path, session_id=session_id)
            ask(field, "/login", "POST", data={"email": nasty, "password": nasty})
            ask(field, f"{here}/members", session_id=session_id, data={nasty: nasty})
            for name in ("X-Request-ID", "User-Agent", "Referer", "Idempotency-Key"):
                harmless = nasty.replace("\n", "").replace("\r", "").replace("\x00", "")
                ask(field, f"{here}/", session_id=session_id, headers={name: harmless})
            structlog.get_logger().warning("an error", error=repr(nasty), reason=nasty, a=nasty)
        for line in heard.getvalue().split("\n"):
            record.judge(forged(line))


def forged(line: str) -> str:
    """What is wrong with a line of the log."""
    if not line:
        return ""
    try:
        read = orjson.loads(line)
    except orjson.JSONDecodeError:
        return f"a line that isn't one of ours: {line[:80]!r}"
    if "\x1b" in line or "\r" in line:
        return f"a sign that a terminal obeys: {line[:80]!r}"
    return f"an event of theirs: {line[:80]!r}" if read.get("event") == FORGED else ""


@attack("secrets in the log")
def secrets_in_the_log(field: Field, record: Attack) -> None:
    """Passwords, tokens, cookies and keys, in every place of a request where they may stand."""
    token = give_token(field.ours)
    session_id = session_of(field, field.ours)
    here = f"/t/{field.ours.tenant.slug}"
    with logged_as_in_production(field) as heard:
        ask(field, "/login", "POST", data={"email": "ada@acme.test", "password": CANARY})
        ask(field, f"/reset?token={CANARY}")
        ask(field, f"/invitation?token={CANARY}")
        ask(field, f"{here}/api/v1/me", token=CANARY)
        ask(field, f"{here}/api/v1/me", token=token)
        ask(
            field, f"{here}/api/v1/me", headers={"Idempotency-Key": CANARY, "Cookie": f"a={CANARY}"}
        )
        ask(
            field,
            f"{here}/account/password",
            "POST",
            session_id=session_id,
            data={"password": CANARY},
        )
        ask(
            field,
            f"{here}/api/v1/nowhere",
            "POST",
            session_id=session_id,
            json={"password": CANARY},
        )
    text = heard.getvalue()
    record.judge("nothing was logged at all" if len(text.splitlines()) < 5 else "")
    stamp = session_id.partition(":")[2]
    for secret, what in ((CANARY, "what was typed"), (token, "an API token"), (stamp, "a session")):
        record.judge(f"{what} stands in the log" if secret in text else "")
