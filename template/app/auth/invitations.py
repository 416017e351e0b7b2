"""Invitations: a link by e-mail, for whoever has that address, for seven days."""

import secrets
from datetime import timedelta
from uuid import UUID

from flask import abort
from sqlalchemy import func, select

from app import audit, events
from app.actor import act_for
from app.auth import emails, mails, passwords
from app.auth.calls import headcount
from app.auth.identity import hash_of
from app.auth.joining import make_sure_there_is_room
from app.auth.links import LinkDoesNotWork
from app.auth.members import hold_the_door
from app.auth.models import Invitation, Membership, User
from app.auth.people import confirm
from app.auth.roles import roles
from app.db import db, now
from app.errors import NotAllowed, Refused
from app.tenancy import current_tenant, enter

LIFETIME = timedelta(days=7)


class AlreadyMember(Refused):
    """Somebody who belongs to the tenant was invited to it."""

    title = "They're here already"


class NoRoom(Refused):
    """Somebody can't join since the tenant may have no more people."""

    title = "There's no room at the moment"


class InvitedSomebodyElse(NotAllowed):
    """An invitation was opened by a person with another address."""

    title = "This invitation is for somebody else"


def sent() -> list[Invitation]:
    """The current tenant's invitations, newest first, expired ones too."""
    mine = select(Invitation).where(Invitation.tenant_id == current_tenant().id)
    return list(db.session.scalars(mine.order_by(Invitation.id.desc())))


def to(email: str) -> list[Invitation]:
    """The invitations that somebody with this address may accept."""
    statement = select(Invitation).where(
        Invitation.email_norm == emails.norm(email), Invitation.expires_at > now()
    )
    return list(db.session.scalars(statement.order_by(Invitation.id.desc())))


def invite(email: str, choice: str, invited_by: UUID) -> Invitation:
    """Mail an invitation to the current tenant, as one of the choices of `roles()`.

    Doing it again renews it, and ends the old link.
    """
    hold_the_door(current_tenant().id)
    refuse_members(email)
    make_sure_there_is_room(headcount() + open_ones_but(email) + 1)
    invitation = with_address(email)
    if invitation is None:
        invitation = Invitation(tenant_id=current_tenant().id, email_norm=emails.norm(email))
    role = roles().before_invitation(invitation, choice)
    db.session.add(invitation)
    token = secrets.token_urlsafe(32)
    invitation.email = email
    invitation.role = role
    invitation.invited_by = invited_by
    invitation.token_hash = hash_of(token)
    invitation.expires_at = now() + LIFETIME
    mails.invite(email, token, inviter=db.session.get_one(User, invited_by).name)
    audit.note("member.invited", invitation.id, email=email, role=role)
    events.publish("auth.member_invited", role=role)
    return invitation


def revoke(invitation: Invitation) -> None:
    """Take an invitation back: its link is dead."""
    hold_the_door(current_tenant().id)
    roles().before_revocation(invitation)
    db.session.delete(invitation)
    audit.note("invitation.revoked", invitation.id, email=invitation.email)


def find(invitation_id: UUID) -> Invitation:
    """One of the current tenant's invitations, or 404."""
    return db.session.get(Invitation, (current_tenant().id, invitation_id)) or abort(404)


def by_token(token: str) -> Invitation:
    """The invitation of a link; raises `LinkDoesNotWork`."""
    statement = select(Invitation).where(Invitation.token_hash == hash_of(token))
    invitation = db.session.scalars(statement).one_or_none()
    if invitation is None or not invitation.is_open():
        raise LinkDoesNotWork("invitation")
    return invitation


def accept_as_new(invitation: Invitation, name: str, password: str) -> User:
    """Make the invited person's account and let them join: the link has proved the address."""
    hold_open(invitation)
    user = User.with_email(invitation.email)
    if user is None:
        user = User()
        user.set_email(invitation.email)
        db.session.add(user)
    elif user.email_confirmed_at:
        raise InvitedSomebodyElse(f"Log in as {invitation.email} to accept it.")
    user.name = name
    user.set_password_hash(passwords.hash_password(password))
    confirm(user)
    accept(invitation, user)
    return user


def accept(invitation: Invitation, user: User) -> None:
    """Let the invited person join, and serve the tenant for the rest of the request."""
    if user.email_norm != invitation.email_norm:
        raise InvitedSomebodyElse(f"It was sent to {invitation.email}; you are {user.email}.")
    hold_open(invitation)
    enter(invitation.organisation.as_tenant())
    act_for(user.id)
    join(user, invitation)
    db.session.delete(invitation)


def hold_open(invitation: Invitation) -> None:
    """Keep others from using the invitation meanwhile; raises `LinkDoesNotWork` if one has."""
    hold_the_door(invitation.tenant_id)
    key = invitation.tenant_id, invitation.id
    still_there = db.session.get(Invitation, key, populate_existing=True)
    if still_there is None or not still_there.is_open():
        raise LinkDoesNotWork("invitation")


def join(user: User, invitation: Invitation) -> None:
    if not db.session.get(Membership, (current_tenant().id, user.id)):
        roles().after_joining(invitation, admit(user, invitation.role))


def admit(user: User, role: str) -> Membership:
    """Let somebody who isn't a member join the current tenant, if there's room."""
    try:
        make_sure_there_is_room(headcount() + 1)
    except Refused as refusal:
        # Only the people inside can do something about it, so the guest hears no details.
        raise NoRoom(
            f"{current_tenant().name} can't take in more people now.",
            hint="Ask whoever invited you to make room, then open the link again.",
        ) from refusal
    membership = Membership(tenant_id=current_tenant().id, user_id=user.id, role=role)
    db.session.add(membership)
    audit.note("member.joined", user.id, role=role)
    events.publish("auth.member_joined", user=user.id, role=role)
    return membership


def refuse_members(email: str) -> None:
    here = (
        select(Membership.user_id)
        .join(User, User.id == Membership.user_id)
        .where(Membership.tenant_id == current_tenant().id, User.email_norm == emails.norm(email))
    )
    if db.session.scalar(here):
        raise AlreadyMember(f"{email} belongs to {current_tenant().name} already.")


def with_address(email: str) -> Invitation | None:
    statement = select(Invitation).where(
        Invitation.tenant_id == current_tenant().id, Invitation.email_norm == emails.norm(email)
    )
    return db.session.scalars(statement).one_or_none()


def open_ones_but(email: str) -> int:
    others = select(func.count()).where(
        Invitation.tenant_id == current_tenant().id,
        Invitation.email_norm != emails.norm(email),
        Invitation.expires_at > now(),
    )
    return db.session.scalar(others) or 0
