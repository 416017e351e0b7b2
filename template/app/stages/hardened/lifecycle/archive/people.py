"""The people of an archive: who has an account with that address belongs again, others are invited.

An archive has no password, so an address is all that says who somebody is. Only a confirmed one
counts: whoever merely typed it when signing up isn't let in.
"""

import secrets
from typing import Any
from uuid import UUID

from app import audit, events
from app.auth import emails, mails
from app.auth.identity import hash_of
from app.auth.invitations import LIFETIME, with_address
from app.auth.models import Invitation, Membership, User
from app.db import db, now
from app.stages.hardened.lifecycle.archive.files import PEOPLE, BadArchive, Reader

ROLES = ("owner", "member")


def let_in(archive: Reader, tenant_id: UUID) -> dict[str, Any]:
    """Let the archive's people into the tenant that is served; answers how each of them came."""
    found: dict[str, Any] = {"joined": [], "invited": [], "other_ids": 0}
    for person in archive.rows(PEOPLE):
        role = role_of(person)
        user = User.with_email(person["email"])
        if user and user.email_confirmed_at:
            join(tenant_id, user.id, role)
            found["joined"].append(user.email)
            found["other_ids"] += str(user.id) != person["id"]
        else:
            invite(tenant_id, person["email"], role)
            found["invited"].append(person["email"])
            found["other_ids"] += 1
    return found


def role_of(person: dict[str, Any]) -> str:
    if person.get("role") not in ROLES:
        raise BadArchive(f"{person.get('email')} has a role that nobody knows.")
    return str(person["role"])


def join(tenant_id: UUID, user_id: UUID, role: str) -> None:
    """Let somebody with an account belong to the tenant."""
    if db.session.get(Membership, (tenant_id, user_id)) is None:
        db.session.add(Membership(tenant_id=tenant_id, user_id=user_id, role=role))
        audit.note("member.joined", user_id, role=role)
        events.publish("auth.member_joined", user=user_id, role=role)


def invite(tenant_id: UUID, email: str, role: str) -> None:
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
    mails.invite(email, token, inviter=mails.product())
    audit.note("member.invited", invitation.id, email=email, role=role)
