"""E-mail: one text, shown as text and as HTML."""

from app.mail import compose, html_of

LINK = "http://localhost:5000/reset?token=abc.def"
TEXT = f"Hello <b>Ada</b> & all,\nsecond line.\n\n{LINK}\n\nSee {LINK} too.\n"


def test_a_message_is_text_and_html(app):
    with app.app_context():
        message = compose("us@acme.test", "ada@acme.test", "Hello", TEXT)

    text, html = message.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert text.get_content() == TEXT


def test_what_people_wrote_is_shown_as_text(app):
    with app.app_context():
        html = html_of("<i>Hello</i>", TEXT)

    assert "Hello &lt;b&gt;Ada&lt;/b&gt; &amp; all,<br>second line." in html
    assert "<i>" not in html


def test_a_link_in_a_paragraph_of_its_own_is_a_button(app):
    with app.app_context():
        html = html_of("Hello", TEXT)

    assert html.count(f'href="{LINK}"') == 1


def test_a_subject_stays_one_line(app):
    with app.app_context():
        message = compose("us@acme.test", "ada@acme.test", "Hi\r\nBcc: all@acme.test", TEXT)

    assert message["Subject"] == "Hi Bcc: all@acme.test"
    assert message["Bcc"] is None
