"""E-mail: written where it's caused, sent by a job, so that a slow server holds up nobody."""

import re
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid, parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import structlog
from flask import Flask, current_app, render_template

from app.columns import new_id
from app.jobs import job, later, patient

log = structlog.get_logger()
TIMEOUT_SECONDS = 10


def init_app(app: Flask) -> None:
    """Nothing to set up: the settings say where mail goes."""


def send(to: str, subject: str, template: str, **values: Any) -> None:
    """Send an e-mail after the caller's commit; a server that doesn't answer is tried again.

    `template` names a text template, such as `mail/welcome.txt`. Write only text: the HTML beside
    it is made of it. A paragraph that is nothing but a link becomes a button.
    """
    text = render_template(template, **values)
    later(deliver, to, subject, text)


@job
@patient(attempts=30)
def deliver(to: str, subject: str, text: str) -> None:
    """Hand one message over: to the SMTP server, or to a file in development."""
    settings = current_app.config["SETTINGS"]
    message = compose(settings.mail_from, to, subject, text)
    if not settings.smtp_url:
        keep(message)
    elif not hand_to_server(settings.smtp_url, message):
        return
    log.info("mail sent", subject=subject)


def compose(sender: str, to: str, subject: str, text: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = to
    message["Subject"] = " ".join(subject.split())
    message["Date"] = formatdate(usegmt=True)
    message["Message-ID"] = make_msgid(domain=parseaddr(sender)[1].rpartition("@")[2] or None)
    message.set_content(text)
    message.add_alternative(html_of(subject, text), subtype="html")
    return message


def html_of(subject: str, text: str) -> str:
    """The same message for programs that show HTML."""
    paragraphs = [paragraph.strip() for paragraph in re.split(r"\n\s*\n", text.strip())]
    return render_template("mail/frame.html", subject=subject, paragraphs=paragraphs)


def hand_to_server(url: str, message: EmailMessage) -> bool:
    """Whether the server took it. A server that's away raises; a refusal for good is logged."""
    parts = urlsplit(url)
    with connect(parts) as server:
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        try:
            server.send_message(message)
        except smtplib.SMTPRecipientsRefused as refusal:
            ((code, reason),) = refusal.recipients.values()
            if code < 500:
                raise
            log.error("mail refused", code=code, reason=reason.decode(errors="replace"))
            return False
    return True


def connect(parts: SplitResult) -> smtplib.SMTP:
    """A connection, encrypted where the server can; without that no password is sent."""
    secure = ssl.create_default_context()
    host = parts.hostname or ""
    if parts.scheme == "smtps":
        return smtplib.SMTP_SSL(host, parts.port or 465, timeout=TIMEOUT_SECONDS, context=secure)
    server = smtplib.SMTP(host, parts.port or 587, timeout=TIMEOUT_SECONDS)
    try:
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=secure)
        elif parts.username:
            raise smtplib.SMTPNotSupportedError(
                "The server offers no STARTTLS, so it gets no password."
            )
    except BaseException:
        server.close()
        raise
    return server


def keep(message: EmailMessage) -> None:
    """Put the message where the development mailbox (`/dev/mail`) shows it."""
    folder = mailbox()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{new_id()}.eml").write_bytes(message.as_bytes())


def mailbox() -> Path:
    """Where mail goes without SMTP."""
    return Path(current_app.instance_path) / "mail"
