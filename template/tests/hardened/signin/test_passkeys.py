"""Passkeys: a real ceremony, between the real application and Chromium's own authenticator."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.dev.postgres import free_port
from app.dev.seed import PASSWORD
from tests import browser as machinery
from tests.browser import PROJECT, LiveServer, axe, listen

pytestmark = pytest.mark.journey

ADA, BILL = "ada@acme.example", "sam@consulting.example"
SCREENSHOTS = PROJECT / "screenshots"
DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """The application at a name: passkeys aren't made for bare addresses."""
    folder = tmp_path_factory.mktemp("passkeys")
    machinery.link_application(folder)
    server = LiveServer(f"http://localhost:{free_port()}", folder)
    machinery.run(server, "flask", "--app", "app", "db", "upgrade")
    machinery.run(server, "flask", "--app", "app", "seed")
    process = machinery.start(server)
    try:
        machinery.wait_until_ready(server.url, process, machinery.log_of(server))
        yield server
    finally:
        process.terminate()
        process.wait(timeout=30)


class Device:
    """A browser on a device that makes and keeps passkeys."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.cdp = page.context.new_cdp_session(page)
        self.cdp.send("WebAuthn.enable")
        added = self.cdp.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
        self.id = added["authenticatorId"]
        self.complaints: list[str] = []
        listen(page, self.complaints)

    def log_in(self, email: str = ADA) -> None:
        machinery.sign_in(self.page, email)

    def make(self, name: str, password: str = PASSWORD) -> None:
        self.page.goto("/account/passkeys")
        self.page.locator("form[data-does] #name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Make a passkey").click()

    def log_out(self) -> None:
        self.page.context.clear_cookies()

    def show(self, path: str = "/login/passkey") -> None:
        self.page.goto(path)
        self.page.get_by_role("button", name="Use a passkey").click()

    @property
    def alert(self) -> Any:
        return self.page.locator("form[data-does] [role=alert]")

    def credentials(self) -> list[dict[str, Any]]:
        return self.cdp.send("WebAuthn.getCredentials", {"authenticatorId": self.id})["credentials"]

    def set_verified(self, verified: bool) -> None:
        told = {"authenticatorId": self.id, "isUserVerified": verified}
        self.cdp.send("WebAuthn.setUserVerified", told)


@pytest.fixture
def device(browser: Any, site: LiveServer) -> Iterator[Device]:
    context = browser.new_context(base_url=site.url)
    yield Device(context.new_page())
    context.close()


def test_a_passkey_is_made_and_logs_in_by_itself(device, site):
    device.log_in()
    device.make("my laptop")
    device.page.get_by_text("Your passkey is ready.").wait_for()
    assert len(device.credentials()) == 1
    device.log_out()

    device.show("/login/passkey?next=/account/sessions")

    device.page.wait_for_url(f"{site.url}/account/sessions")
    assert device.page.get_by_role("cell", name="Passkey").count() >= 1
    assert device.complaints == []


def test_several_are_kept_named_and_removed(device, browser, site):
    device.log_in(BILL)
    device.make("first")
    device.page.get_by_text("Your passkey is ready.").wait_for()
    other = Device(browser.new_context(base_url=site.url).new_page())
    other.log_in(BILL)
    other.make("second")
    other.page.get_by_text("Your passkey is ready.").wait_for()

    row = other.page.get_by_role("row", name="first")
    row.get_by_role("textbox").fill("the old phone")
    row.get_by_role("button", name="Rename").click()
    other.page.get_by_text("The name is changed.").wait_for()
    other.page.get_by_role("row", name="the old phone").get_by_role("button", name="Remove").click()
    other.page.get_by_text("The passkey is removed.").wait_for()

    device.log_out()
    device.show()
    device.page.get_by_text("Nobody has this passkey here.").wait_for()
    other.log_out()
    other.show()
    other.page.wait_for_url(lambda url: "/login" not in url)
    other.page.context.close()


def test_a_wrong_password_makes_none(device):
    device.log_in()
    device.make("mallory's", password="a guess")

    device.page.get_by_text("This isn't your password.").wait_for()

    assert device.credentials() == []


def test_a_device_that_did_not_ask_who_is_there_opens_nothing(device):
    """A passkey is two factors only with the finger, the face or the PIN."""
    device.log_in()
    device.make("unlocked")
    device.page.get_by_text("Your passkey is ready.").wait_for()
    device.log_out()
    device.set_verified(False)

    device.show()

    device.alert.wait_for(state="visible")
    assert "/login/passkey" in device.page.url


def test_what_a_device_sent_once_opens_nothing_the_second_time(device):
    """The same answer, copied and sent again, with the cookies of that moment."""
    device.log_in()
    device.make("copied")
    device.page.get_by_text("Your passkey is ready.").wait_for()
    device.log_out()
    sent: list[Any] = []
    device.page.on("request", lambda request: sent.append(request))
    device.show()
    device.page.wait_for_url(lambda url: "/login" not in url)
    (answer,) = [r for r in sent if r.method == "POST" and r.url.endswith("/login/passkey")]
    headers = answer.all_headers()
    device.log_out()

    again = device.page.request.post(
        "/login/passkey",
        data=answer.post_data_json,
        headers={name: headers[name] for name in ("x-csrftoken", "cookie", "accept")},
    )

    assert again.status == 422
    assert "sent twice" in again.text()


def test_an_answer_that_was_changed_opens_nothing(device):
    device.log_in()
    device.make("forged")
    device.page.get_by_text("Your passkey is ready.").wait_for()
    device.log_out()
    device.page.route("**/login/passkey", change_signature)

    device.show()

    device.page.get_by_text("can't be verified").wait_for()
    assert "/login/passkey" in device.page.url


def change_signature(route: Any) -> None:
    if route.request.method != "POST":
        route.continue_()
        return
    body = route.request.post_data_json
    data = body["credential"]["response"]["authenticatorData"]
    body["credential"]["response"]["authenticatorData"] = ("A" if data[0] != "A" else "B") + data[
        1:
    ]
    route.continue_(post_data=body)


NONSENSE = [{}, {"credential": 1}, {"credential": {"id": "x"}}, {"credential": {"response": {}}}]


@pytest.mark.parametrize("body", NONSENSE)
def test_nonsense_is_refused_in_words(device, body):
    device.page.goto("/login/passkey")
    token = device.page.locator("input[name=csrf_token]").input_value()

    answer = device.page.request.post(
        "/login/passkey", data=body, headers={"X-CSRFToken": token, "Accept": "application/json"}
    )

    assert answer.status == 422
    assert "isn't what a passkey sends" in answer.text()


PAGES = {
    "passkeys": "/account/passkeys",
    "sessions": "/account/sessions",
    "second factor": "/account/second-factor",
    "second factor begins": "/account/second-factor/begin",
    "account of this stage": "/account",
    "tokens with scopes": "/t/acme/settings/tokens",
    "all keys": "/t/acme/settings/keys",
    "rules": "/t/acme/settings/sign-in",
    "needed": "/login/needed?workspace=acme",
    "settings of this stage": "/t/acme/settings",
    "login with a passkey": "/login/passkey",
    "single sign-on": "/t/acme/settings/sso",
    "login with a company": "/login/sso",
    "login with this company": "/login/sso?workspace=acme",
    "connect": "/login/sso/connection?key=x",
}


@pytest.fixture(scope="module", params=["light", "dark"])
def window(request, browser: Any, site: LiveServer) -> Iterator[Any]:
    context = browser.new_context(base_url=site.url, color_scheme=request.param)
    page = context.new_page()
    machinery.sign_in(page, ADA)
    page.scheme = request.param
    yield page
    context.close()


@pytest.mark.parametrize("name", PAGES)
def test_the_pages_are_accessible_and_fit(window, name):
    complaints: list[str] = []
    listen(window, complaints)

    window.goto(PAGES[name])

    assert window.title()
    for size, width in {"desk": 1280, "phone": 390, "narrow": 360}.items():
        window.set_viewport_size({"width": width, "height": 860})
        picture = SCREENSHOTS / f"sign-in {name} {window.scheme} {size}.png"
        window.screenshot(path=picture, full_page=True)
        assert window.evaluate("document.documentElement.scrollWidth") <= width
        assert axe(window) == []
    assert complaints == []


def test_the_second_factor_is_set_up_without_javascript(browser, site):
    from tests.hardened.signin.authenticator import Phone

    context = browser.new_context(base_url=site.url, java_script_enabled=False)
    page = context.new_page()
    machinery.sign_in(page, BILL)
    page.goto("/account/second-factor")
    page.get_by_role("link", name="Turn it on").click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("img", name="QR code").wait_for()
    page.screenshot(path=SCREENSHOTS / "sign-in set up.png", full_page=True)
    secret = page.locator("code.secret").inner_text()
    page.get_by_role("textbox", name="Code").fill(Phone(secret, []).code())
    page.get_by_role("button", name="Turn it on").click()

    page.get_by_text("Keep these").wait_for()
    page.screenshot(path=SCREENSHOTS / "sign-in recovery codes.png", full_page=True)
    code = page.locator("code.secret").first.inner_text()
    context.clear_cookies()
    page.goto("/login")
    page.get_by_label("E-mail").fill(BILL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("textbox", name="Code").fill(code)
    page.screenshot(path=SCREENSHOTS / "sign-in code.png", full_page=True)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/workspaces")
    context.close()
