"""Archives that operators send through the API and the page, and the tenants in them."""

import io
import zipfile
from pathlib import Path

import pytest
import sqlalchemy as sa

from app import queue
from app.auth.models import Organisation
from app.db import db
from app.stages.hardened.lifecycle import ledger, operators
from tests.hardened.lifecycle.test_archive import trusting
from tests.world import sign_in

pytestmark = pytest.mark.postgres
API = "/api/v1/me/operator"


class Sending:
    """An installation with an operator, and an archive of another one's tenant."""

    def __init__(self, here, archive: bytes, key: str) -> None:
        self.here, self.archive, self.key = here, archive, key
        self.app = here.make(operators="ada@initech.test", largest_archive_mb=1)
        self.seat = here.tenant("initech")
        self.client = self.app.test_client()
        with self.app.app_context():
            token = operators.token("ada@initech.test", 600)
        self.headers = {"Authorization": f"Bearer {token}"}

    def send(self, body: bytes | None = None, trust: str | None = None, **more):
        trust = self.key if trust is None else trust
        body = self.archive if body is None else body
        headers = self.headers | {"Content-Type": "application/zip"} | more.pop("headers", {})
        return self.client.post(f"{API}/archives?trust={trust}", data=body, headers=headers)

    def bring(self, archive: str, trust: str | None = None):
        asked = {"archive": archive, "trust": self.key if trust is None else trust}
        return self.client.post(f"{API}/imports", json=asked, headers=self.headers)

    def kept(self) -> list[str]:
        folder = Path(self.app.instance_path) / "archives"
        return sorted(one.name for one in folder.iterdir()) if folder.exists() else []

    def tenants(self) -> list[str]:
        with self.app.app_context():
            return list(db.session.scalars(sa.select(Organisation.slug).order_by("slug")))


@pytest.fixture
def sending(world, make_world, tmp_path) -> Sending:
    world.tenant("acme")
    done = world.flask("export", "acme", "--file", str(tmp_path / "acme.zip"))
    assert done.exit_code == 0, done.output
    _, key = trusting(world)
    return Sending(make_world(), (tmp_path / "acme.zip").read_bytes(), key)


def test_an_archive_that_is_sent_becomes_the_tenant_and_once_only(sending, world):
    sent = sending.send()
    begun = sending.bring(sent.json["archive"])
    again = sending.bring(sending.send().json["archive"])
    queue.run_pending(sending.app)
    after = sending.bring(sent.json["archive"])

    assert (sent.status_code, sent.json["slug"], sent.json["signer"]) == (201, "acme", sending.key)
    assert (begun.status_code, begun.json["kind"]) == (202, "import")
    assert begun.json["id"] == again.json["id"] == after.json["id"]
    assert after.json["state"] == "done", after.json["error"]
    assert sending.tenants() == ["acme", "initech"]
    assert sending.kept() == [sent.json["archive"]]
    tenant_id = sent.json["tenant_id"]
    assert sending.here.everything(tenant_id) == world.everything(tenant_id)


def test_the_page_takes_one_too(sending):
    client = sign_in(sending.app, sending.seat).client
    form = {"archive": (io.BytesIO(sending.archive), "../../acme.zip"), "trust": sending.key}

    answer = client.post("/workspaces/operators/archives", data=form)
    queue.run_pending(sending.app)

    assert answer.status_code == 302, answer.text
    assert "done" in client.get(answer.location).text
    assert sending.tenants() == ["acme", "initech"]


def test_what_is_no_archive_of_somebody_we_know_is_refused_and_not_kept(sending):
    cut = sending.send(sending.archive[:-200])
    stranger = sending.send(trust="")
    changed = sending.send(with_another_manifest(sending.archive))

    assert "isn't a zip file" in cut.json["detail"]
    assert "which isn't one of this service" in stranger.json["detail"]
    assert "was changed after it was signed" in changed.json["detail"]
    assert "has no body" in sending.send(b"").json["detail"]
    assert {cut.status_code, stranger.status_code, changed.status_code} == {409}
    assert sending.kept() == []


def with_another_manifest(archive: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            new.writestr(name, text.replace(b"acme", b"acmo") if name == "manifest.json" else text)
    return out.getvalue()


def test_a_size_has_an_end_and_only_operators_may_come_near_it(sending):
    large = b"x" * 1_000_001

    refused = sending.send(large)
    stranger = sending.client.post(f"{API}/archives", data=b"x" * 6_000_000)

    assert refused.status_code == 413
    assert "may have 1 MB (LARGEST_ARCHIVE_MB)" in refused.json["detail"]
    assert stranger.status_code in {401, 413}
    assert sending.kept() == []


def test_a_name_is_no_path_and_a_tenant_that_is_here_is_left_alone(sending):
    assert sending.bring("../../../etc/passwd").status_code == 409
    assert sending.bring("none.zip").json["detail"].startswith("There is no archive")

    name = sending.send().json["archive"]
    sending.bring(name)
    queue.run_pending(sending.app)
    other = Path(sending.app.instance_path) / "archives" / "other.zip"
    other.write_bytes(sending.archive)
    answer = sending.bring("other.zip")

    assert answer.status_code == 409
    assert "acme has its id" in answer.json["detail"]


def test_nobody_but_operators_sends_and_imports(sending):
    other = sending.here.tenant("hooli")
    client = sign_in(sending.app, other).client

    assert client.post(f"{API}/archives", data=sending.archive).status_code == 403
    assert client.post(f"{API}/imports", json={"archive": "a.zip"}).status_code == 403
    assert client.post(f"{API}/tenants", json={"slug": "a", "owner": "a@b.test"}).status_code == 403
    assert client.post("/workspaces/operators/archives", data={}).status_code == 403
    assert client.post("/workspaces/operators/", data={}).status_code == 403
    with sending.app.app_context():
        assert ledger.recent() == []
