"""What an archive holds of who may do what: roles, rules, single sign-on, keys; never a secret."""

import json
import zipfile
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from app.auth.models import ApiToken, Invitation, Membership, Organisation
from app.db import db, now
from app.stages.hardened.lifecycle.archive.files import Reader
from app.stages.hardened.rbac import defining, holding
from app.stages.hardened.rbac.models import InvitationRole, MemberRole
from app.stages.hardened.signin import sso
from app.stages.hardened.signin.models import KeyLimits, Rules, Sso, SsoLink
from app.tenancy import serving
from tests.hardened.lifecycle.test_archive import ok, trusting
from tests.world import take_seat

pytestmark = pytest.mark.postgres
SECRETS = ("the-client-secret", "hash-of-a-key", "hash-of-a-link")


@pytest.fixture
def acme(world):
    """Acme, where Max has two roles of its own, and a provider of its own knows him."""
    seat = world.tenant("acme")
    tenant = seat.tenant
    max_id = take_seat(world.app, tenant, "eve@acme.test", "Eve", "member").user_id
    with world.app.app_context(), serving(tenant):
        support = defining.create("Support", ["members:read", "roles:read"])
        reader = defining.create("Reader", ["members:read"])
        db.session.flush()
        viewer = next(one for one in defining_given() if one.name == "Viewer")
        holding.assign(max_id, [support.id, reader.id, viewer.id])
        invitation = Invitation(
            tenant_id=tenant.id,
            email="new@acme.test",
            email_norm="new@acme.test",
            role="member",
            token_hash=SECRETS[2],
            expires_at=now() + timedelta(days=1),
        )
        key = ApiToken(
            tenant_id=tenant.id,
            user_id=max_id,
            name="Nightly",
            prefix="abc",
            token_hash=SECRETS[1],
        )
        db.session.add_all([invitation, key])
        db.session.flush()
        db.session.add_all(
            [
                InvitationRole(
                    tenant_id=tenant.id, invitation_id=invitation.id, role_id=support.id
                ),
                KeyLimits(
                    tenant_id=tenant.id,
                    token_id=key.id,
                    scopes="members:read",
                    expires_at=now() + timedelta(days=3),
                ),
                Rules(tenant_id=tenant.id, strong_only=True),
                Sso(
                    tenant_id=tenant.id,
                    issuer="https://id.acme.test",
                    client_id="us",
                    client_secret=SECRETS[0],
                    domains="acme.test",
                    role_claim="groups",
                    role_map="admins = owner",
                    enforced=True,
                ),
                SsoLink(
                    tenant_id=tenant.id,
                    issuer="https://id.acme.test",
                    subject="7",
                    user_id=max_id,
                ),
            ]
        )
        db.session.commit()
    return seat


def defining_given():
    from app.stages.hardened.rbac.rules import given

    return given()


def access_of(world, tenant_id):
    """Who may do what, in words that don't hang on ids of people."""
    with world.app.app_context():
        own = sa.select(Membership).filter_by(tenant_id=tenant_id)
        people = {one.user.email: one.role for one in db.session.scalars(own)}
        roles = sa.select(MemberRole).filter_by(tenant_id=tenant_id)
        held = sorted(
            (one.membership.user.email, one.role.name) for one in db.session.scalars(roles)
        )
        rules = db.session.get(Rules, tenant_id)
        there = db.session.get(Sso, tenant_id)
        links = list(db.session.scalars(sa.select(SsoLink).filter_by(tenant_id=tenant_id)))
    with world.connect("auth") as connection:
        kept = {
            table: sorted(
                connection.scalars(
                    sa.text(f"SELECT t::text FROM {table} t WHERE tenant_id = :id"),
                    {"id": tenant_id},
                )
            )
            for table in ("auth_roles", "auth_role_permissions")
        }
    return {
        "people": people,
        "held": held,
        "kept": kept,
        "strong": rules.strong_only if rules else None,
        "sso": (there.issuer, there.client_id, there.domains, there.role_map, there.enforced)
        if there
        else None,
        "links": sorted((one.user_id, one.issuer, one.subject) for one in links),
    }


def test_what_is_deleted_and_imported_again_has_everybody_in_their_roles(world, acme, tmp_path):
    before = access_of(world, acme.tenant.id)
    assert len(before["held"]) == 3
    archive, again = tmp_path / "acme.zip", tmp_path / "again.zip"
    ok(world.flask("delete", "acme", "--yes", "--export", str(archive)))

    output = ok(world.flask("import", str(archive))).output

    assert access_of(world, acme.tenant.id) == before
    assert "1 API keys don't work here" in output
    assert "waits for its client secret" in output
    ok(world.flask("export", "acme", "--file", str(again)))
    with world.app.app_context(), Reader(archive) as first, Reader(again) as second:
        assert second.manifest.checksums() == first.manifest.checksums()
        assert list(second.rows("people.ndjson")) == list(first.rows("people.ndjson"))


def test_no_secret_is_in_an_archive_and_every_fact_is(world, acme, tmp_path):
    ok(world.flask("export", "acme", "--file", str(tmp_path / "acme.zip")))

    with zipfile.ZipFile(tmp_path / "acme.zip") as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    assert not any(secret in text for secret in SECRETS for text in files.values())
    assert "client_secret" not in files["rows/auth/auth_sso.ndjson"]
    (key,) = map(json.loads, files["keys.ndjson"].splitlines())
    assert (key["name"], key["person"], key["scopes"]) == (
        "Nightly",
        "eve@acme.test",
        "members:read",
    )
    (invited,) = map(json.loads, files["invitations.ndjson"].splitlines())
    assert (invited["email"], len(invited["roles"])) == ("new@acme.test", 1)


def test_elsewhere_an_invitation_is_into_one_of_the_roles_that_somebody_had(
    world, make_world, acme, tmp_path
):
    ok(world.flask("export", "acme", "--file", str(tmp_path / "acme.zip")))
    other = make_world()

    output = ok(other.flask("import", str(tmp_path / "acme.zip"), *trusting(world))).output

    assert "Give these their other roles once they have come: eve@acme.test" in output
    with other.app.app_context():
        rows = db.session.scalars(sa.select(InvitationRole))
        assert {one.invitation.email: one.role.name for one in rows} == {
            "eve@acme.test": "Reader",
            "new@acme.test": "Support",
        }


def test_elsewhere_a_provider_is_not_believed_who_an_account_is(world, make_world, acme, tmp_path):
    ok(world.flask("export", "acme", "--file", str(tmp_path / "acme.zip")))
    other = make_world()
    other.tenant("initech").join("eve@acme.test", "Another Eve")

    ok(other.flask("import", str(tmp_path / "acme.zip"), *trusting(world)))

    found = access_of(other, acme.tenant.id)
    assert [name for _, name in found["held"]] == ["Reader", "Support", "Viewer"]
    assert found["links"] == []


def test_who_logs_in_before_the_secret_is_there_is_told_what_lacks(world, acme, tmp_path):
    ok(world.flask("delete", "acme", "--yes", "--export", str(tmp_path / "acme.zip")))
    ok(world.flask("import", str(tmp_path / "acme.zip")))

    with world.app.test_request_context(), pytest.raises(sso.NotReady, match="client secret"):
        sso.begin("acme", "")


def test_a_restore_changes_nobodys_roles(world, acme, tmp_path):
    ok(world.flask("export", "acme", "--file", str(tmp_path / "acme.zip")))
    with world.app.app_context():
        tenant = db.session.get_one(Organisation, acme.tenant.id).as_tenant()
        with serving(tenant):
            person: UUID = db.session.scalars(
                sa.select(MemberRole.user_id).filter_by(tenant_id=tenant.id)
            ).first()
            holding.assign(person, [])
            db.session.commit()
    taken = access_of(world, acme.tenant.id)

    ok(world.flask("restore", "acme", str(tmp_path / "acme.zip"), "--yes"))

    assert access_of(world, acme.tenant.id) == taken
    assert taken["held"] == []
