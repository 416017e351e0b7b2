"""The people of an archive: who has an account with that address belongs again, others are invited.

An archive has no password, so an address is all that says who somebody is. Only a confirmed one
counts: whoever merely typed it when signing up isn't let in.

Whoever belongs again has the tenant's own roles that they had. An invitation is into one role, so
whoever had more and is invited gets the first, never more than they had. As whom a provider of the
tenant knows somebody is believed where it's the same account, with the same id: elsewhere its
person connects the two once more.
"""

import secrets
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from app import audit, events
from app.auth import emails, mails
from app.auth.identity import hash_of
from app.auth.invitations import LIFETIME, with_address
from app.auth.models import Invitation, Membership, User
from app.db import db, now
from app.stages.hardened.lifecycle.archive.covers import INVITATIONS, PEOPLE
from app.stages.hardened.lifecycle.archive.files import BadArchive, Reader
from app.stages.hardened.rbac.models import InvitationRole, MemberRole, Role
from app.stages.hardened.signin.models import SsoLink

ROLES = ("owner", "member")


def let_in(archive: Reader, tenant_id: UUID) -> dict[str, Any]:
    """Let the archive's people into the tenant that is served; answers how each of them came."""
    found: dict[str, Any] = {"joined": [], "invited": [], "other_ids": 0, "fewer_roles": []}
    for person in archive.rows(PEOPLE):
        role, roles = role_of(person), roles_of(person, tenant_id)
        user = User.with_email(person["email"])
        if user and user.email_confirmed_at:
            join(tenant_id, user.id, role, roles)
            found["joined"].append(user.email)
            found["other_ids"] += str(user.id) != person["id"]
            if str(user.id) == person["id"]:
                connect(tenant_id, user.id, person)
        else:
            invite(tenant_id, person["email"], role, roles)
            found["invited"].append(person["email"])
            found["other_ids"] += 1
            if len(roles) > 1:
                found["fewer_roles"].append(person["email"])
    for invitation in archive.rows(INVITATIONS):
        role, roles = role_of(invitation), roles_of(invitation, tenant_id)
        invite(tenant_id, invitation["email"], role, roles)
        found["invited"].append(invitation["email"])
    return found


def role_of(person: dict[str, Any]) -> str:
    if person.get("role") not in ROLES:
        raise BadArchive(f"{person.get('email')} has a role that nobody knows.")
    return str(person["role"])


def roles_of(person: dict[str, Any], tenant_id: UUID) -> list[UUID]:
    """The tenant's own roles that somebody had; an owner has none."""
    found = [UUID(one) for one in person.get("roles", ())]
    for role_id in found:
        if db.session.get(Role, (tenant_id, role_id)) is None:
            raise BadArchive(f"{person['email']} has a role that isn't in the archive.")
    return found


def join(tenant_id: UUID, user_id: UUID, role: str, roles: Iterable[UUID] = ()) -> None:
    """Let somebody with an account belong to the tenant."""
    if db.session.get(Membership, (tenant_id, user_id)) is None:
        db.session.add(Membership(tenant_id=tenant_id, user_id=user_id, role=role))
        db.session.flush()
        for role_id in roles:
            db.session.add(MemberRole(tenant_id=tenant_id, user_id=user_id, role_id=role_id))
        audit.note("member.joined", user_id, role=role)
        events.publish("auth.member_joined", user=user_id, role=role)


def connect(tenant_id: UUID, user_id: UUID, person: dict[str, Any]) -> None:
    """Somebody is known to the tenant's provider as before."""
    for one in person.get("subjects", ()):
        link = SsoLink(
            tenant_id=tenant_id, user_id=user_id, issuer=one["issuer"], subject=one["subject"]
        )
        db.session.add(link)


def invite(tenant_id: UUID, email: str, role: str, roles: Sequence[UUID] = ()) -> None:
    """Mail an invitation in the product's name. One that was sent before ends."""
    invitation = with_address(email)
    if invitation is None:
        invitation = Invitation(tenant_id=tenant_id, email_norm=emails.norm(email))
        db.session.add(invitation)
    token = secrets.token_urlsafe(32)
    invitation.email = email
    invitation.role = role
    invitation.token_hash = hash_of(token)
    invitation.expires_at = now() + LIFETIME
    if roles:
        db.session.flush()
        db.session.merge(
            InvitationRole(tenant_id=tenant_id, invitation_id=invitation.id, role_id=roles[0])
        )
    mails.invite(email, token, inviter=mails.product())
    audit.note("member.invited", invitation.id, email=email, role=role)
