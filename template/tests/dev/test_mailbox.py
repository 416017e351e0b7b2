"""`/dev/mail`: what the product would have sent, for developers and never in production."""

import pytest

from app.dev.mailbox import with_links
from app.mail import compose, keep
from tests.world import PRODUCTION


@pytest.fixture
def mailbox(make_app):
    app = make_app()

    def send(subject: str, text: str) -> None:
        with app.app_context():
            keep(compose("hello@acme.test", "Ada <ada@acme.test>", subject, text))

    client = app.test_client()
    client.send = send
    return client


def test_an_empty_mailbox_says_what_brings_mail(mailbox):
    assert "No e-mail yet" in mailbox.get("/dev/mail/").text


def test_the_newest_mail_is_on_top(mailbox):
    mailbox.send("First", "One")
    mailbox.send("Second", "Two")

    page = mailbox.get("/dev/mail/").text

    assert page.index("Second") < page.index("First")
    assert "ada@acme.test" in page


def test_a_message_is_shown_with_links_that_work(mailbox):
    mailbox.send(
        "Wëlcome", "Hallo Ada,\n\nhttp://localhost:5000/confirm/a.b-c_d?x=1&y=2.\n<b>bye</b>"
    )

    listed = mailbox.get("/dev/mail/").text
    path = next(part for part in listed.split('"') if part.startswith("/dev/mail/0"))
    page = mailbox.get(path).text

    link = "http://localhost:5000/confirm/a.b-c_d?x=1&amp;y=2"
    assert "Wëlcome" in page
    assert f'<a href="{link}">{link}</a>.' in page
    assert "&lt;b&gt;bye&lt;/b&gt;" in page


@pytest.mark.parametrize(
    "path", ["/dev/mail/0198c0de-0000-7000-8000-000000000000", "/dev/mail/..%2F..%2Fapp.db"]
)
def test_a_message_that_does_not_exist_is_not_found(mailbox, path):
    assert mailbox.get(path).status_code == 404


def test_there_is_no_mailbox_in_production(make_app):
    production = make_app(**PRODUCTION)

    assert not [rule for rule in production.url_map.iter_rules() if "dev" in rule.rule.split("/")]
    assert production.test_client().get("/dev/mail/").status_code == 404


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("no link", "no link"),
        ("(see https://a.b/c)", '(see <a href="https://a.b/c">https://a.b/c</a>)'),
        ("javascript:alert(1)", "javascript:alert(1)"),
        ('https://a.b/"onclick="x', '<a href="https://a.b/">https://a.b/</a>&#34;onclick=&#34;x'),
    ],
)
def test_only_web_addresses_become_links(text, html):
    assert with_links(text) == html
