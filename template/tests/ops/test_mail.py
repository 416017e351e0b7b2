"""E-mail reaches a real SMTP server, encrypted where it can be, and waits for one that is away."""

import time
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select

from app import jobs, queue
from app.db import db, now
from app.dev.postgres import free_port
from app.jobs import Job, later
from app.mail import deliver
from tests.ops.smtp import certificate, only_ada, smtp_server, tls

TEXT = "Grüß Gott,\n\nhttps://app.example/confirm?token=secret-token\n"


@pytest.fixture
def post(app, make_app):
    """Sends one letter through an application with that SMTP_URL, as far as it gets."""

    def post(url: str) -> Job:
        sender = make_app(smtp_url=url, mail_from="Acme <hello@acme.test>")
        with sender.app_context():
            job_id = later(deliver, "ada@acme.test", "Wëlcome", TEXT).id
            db.session.commit()
        queue.run_pending(sender)
        return look(sender, job_id)

    return post


def look(app, job_id) -> Job:
    with app.app_context():
        return db.session.get(Job, job_id)


def test_a_letter_arrives_as_it_was_written(post):
    with smtp_server() as (mailbox, port):
        job = post(f"smtp://127.0.0.1:{port}")

    (letter,) = mailbox.messages
    assert (letter["From"], letter["To"]) == ("Acme <hello@acme.test>", "ada@acme.test")
    assert letter["Subject"] == "Wëlcome"
    assert letter["Message-ID"].endswith("@acme.test>")
    assert letter["Date"]
    assert letter.get_body(("plain",)).get_content().replace("\r\n", "\n") == TEXT
    assert job.state == "done"


def test_it_is_encrypted_and_authenticated_where_the_server_can(post, tmp_path, monkeypatch):
    file = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    secure = {"tls_context": tls(file), "authenticator": only_ada}

    with smtp_server(**secure) as (mailbox, port):
        assert post(f"smtp://ada:p%40ss@localhost:{port}").state == "done"

    assert mailbox.encrypted == [True]


def test_a_password_is_never_sent_in_the_clear(post):
    careless = {"authenticator": only_ada, "auth_require_tls": False}

    with smtp_server(**careless) as (mailbox, port):
        job = post(f"smtp://ada:p%40ss@127.0.0.1:{port}")

    assert mailbox.messages == []
    assert (job.state, job.error) == (
        "queued",
        "The server offers no STARTTLS, so it gets no password.",
    )


def test_a_server_that_somebody_else_poses_as_gets_nothing(post, tmp_path):
    """Its certificate is nobody's that we know."""
    with smtp_server(tls_context=tls(certificate(tmp_path))) as (mailbox, port):
        job = post(f"smtp://localhost:{port}")

    assert mailbox.messages == []
    assert "certificate verify failed" in job.error


def test_a_server_that_is_away_is_tried_again_until_it_is_back(app, make_app, capsys):
    port = free_port()
    sender = make_app(smtp_url=f"smtp://127.0.0.1:{port}")
    with sender.app_context():
        job_id = later(deliver, "ada@acme.test", "Hello", TEXT).id
        db.session.commit()

    queue.run_pending(sender)
    waiting = look(sender, job_id)
    assert (waiting.state, waiting.attempts) == ("queued", 1)
    assert "Connection refused" in waiting.error

    with smtp_server(port) as (mailbox, _), time_machine.travel(now() + timedelta(hours=1)):
        queue.sweep(sender)
        queue.run_pending(sender)

    assert len(mailbox.messages) == 1
    assert look(sender, job_id).state == "done"
    assert look(sender, job_id).args == "[]"  # The link in it is of no use any more.


def test_a_letter_waits_for_most_of_a_day(app, make_app):
    with make_app().app_context():
        job = later(deliver, "ada@acme.test", "Hello", TEXT)
        pauses = [queue.pause_after(attempt) for attempt in range(1, jobs.attempts_of(job))]

    assert timedelta(hours=12) < timedelta(seconds=sum(pauses)) < timedelta(days=1)


def test_an_address_that_the_server_refuses_for_good_is_not_tried_again(post, capsys):
    with smtp_server() as (mailbox, port):
        mailbox.refusing = "550 No such person"
        job = post(f"smtp://127.0.0.1:{port}")

    assert (job.state, job.attempts) == ("done", 1)
    assert "mail refused" in capsys.readouterr().err


def test_an_address_that_the_server_refuses_for_now_is_tried_again(post):
    with smtp_server() as (mailbox, port):
        mailbox.refusing = "451 Try again later"
        job = post(f"smtp://127.0.0.1:{port}")

    assert job.state == "queued"


def test_a_server_that_never_answers_holds_up_no_request(app, make_app):
    """The request only writes a row."""
    sender = make_app(smtp_url="smtp://203.0.113.1:25")
    began = time.monotonic()

    answer = sender.test_client().post("/forgot", data={"email": "ada@acme.test"})

    assert answer.status_code == 302
    assert time.monotonic() - began < 3
    with sender.app_context():
        assert db.session.scalars(select(Job.state)).all() == ["queued"]


def test_what_went_wrong_is_in_the_log(post, capsys):
    post(f"smtp://127.0.0.1:{free_port()}")

    line = capsys.readouterr().err
    assert "job failed" in line
    assert "Connection refused" in line
    assert "secret-token" not in line
