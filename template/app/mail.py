"""E-mail: written where it's caused, sent by a job, so that a slow server holds up nobody."""

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid, parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog
from flask import Flask, current_app, render_template

from app.columns import new_id
from app.jobs import job, later

log = structlog.get_logger()
TIMEOUT_SECONDS = 10


def init_app(app: Flask) -> None:
    """Nothing to set up: the settings say where mail goes."""


def send(to: str, subject: str, template: str, **values: Any) -> None:
    """Send an e-mail after the caller's commit; a server that doesn't answer is tried again.

    `template` names a text template, such as `mail/welcome.txt` (with an `.html` beside it, if
    there is one).
    """
    text = render_template(template, **values)
    later(deliver, to, subject, text)


@job
def deliver(to: str, subject: str, text: str) -> None:
    """Hand one message over: to the SMTP server, or to a file in development."""
    settings = current_app.config["SETTINGS"]
    message = compose(settings.mail_from, to, subject, text)
    if settings.smtp_url:
        hand_to_server(settings.smtp_url, message)
    else:
        keep(message)
    log.info("mail sent", subject=subject)


def compose(sender: str, to: str, subject: str, text: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = to
    message["Subject"] = " ".join(subject.split())
    message["Date"] = formatdate(usegmt=True)
    message["Message-ID"] = make_msgid(domain=parseaddr(sender)[1].rpartition("@")[2] or None)
    message.set_content(text)
    return message


def hand_to_server(url: str, message: EmailMessage) -> None:
    parts = urlsplit(url)
    secure = ssl.create_default_context()
    if parts.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            parts.hostname or "", parts.port or 465, timeout=TIMEOUT_SECONDS, context=secure
        )
    else:
        server = smtplib.SMTP(parts.hostname or "", parts.port or 587, timeout=TIMEOUT_SECONDS)
    with server:
        if parts.scheme == "smtp" and server.has_extn("starttls"):
            server.starttls(context=secure)
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(message)


def keep(message: EmailMessage) -> None:
    """Put the message where the development mailbox (`/dev/mail`) shows it."""
    folder = mailbox()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{new_id()}.eml").write_bytes(message.as_bytes())


def mailbox() -> Path:
    """Where mail goes without SMTP."""
    return Path(current_app.instance_path) / "mail"
