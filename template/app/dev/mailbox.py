"""`/dev/mail`: the e-mail that the product would have sent, in development only."""

import re
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.parser import BytesParser
from email.utils import parsedate_to_datetime
from pathlib import Path
from uuid import UUID

from flask import Blueprint, Flask, abort, render_template
from markupsafe import Markup, escape

from app.access import public
from app.mail import mailbox as folder

LINK = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)\]]")
NEWEST = 200

bp = Blueprint("mailbox", __name__, url_prefix="/dev/mail", template_folder="templates")


@dataclass(frozen=True, slots=True)
class Message:
    """One e-mail as it was kept."""

    id: str
    to: str
    sender: str
    subject: str
    sent_at: datetime
    text: str


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)
    app.add_template_filter(with_links)


@bp.get("/")
@public
def messages():
    """Everything that was sent, newest first."""
    # The files are named by UUIDv7, so their names sort by the moment they were made.
    newest = sorted(folder().glob("*.eml"), reverse=True)[:NEWEST]
    return render_template("dev/mailbox.html", messages=[read(path) for path in newest])


@bp.get("/<uuid:message_id>")
@public
def message(message_id: UUID):
    path = folder() / f"{message_id}.eml"
    if not path.exists():
        abort(404)
    return render_template("dev/message.html", message=read(path))


def read(path: Path) -> Message:
    parsed = BytesParser(policy=policy.default).parsebytes(path.read_bytes())
    body = parsed.get_body(("plain",))
    return Message(
        id=path.stem,
        to=parsed["To"],
        sender=parsed["From"],
        subject=parsed["Subject"],
        sent_at=parsedate_to_datetime(parsed["Date"]),
        text=body.get_content() if body else "",
    )


def with_links(text: str) -> Markup:
    """The text with its addresses as links, all else escaped."""
    parts, end = [], 0
    for found in LINK.finditer(text):
        url = escape(found[0])
        parts += [escape(text[end : found.start()]), Markup('<a href="{0}">{0}</a>').format(url)]
        end = found.end()
    return Markup("").join([*parts, escape(text[end:])])
