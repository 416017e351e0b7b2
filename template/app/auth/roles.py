"""Roles: what people are in a tenant: owner or member. A later stage may add a tenant's own."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from flask import Flask, current_app

from app.auth.models import Invitation, Membership

CHOICES = (("member", "Member"), ("owner", "Owner"))


@dataclass(frozen=True, slots=True)
class Place:
    """A page about roles that a later stage brings: where it is, and who may go there."""

    endpoint: str
    permission: str
    label: str


class Roles:
    """What the rest of auth asks about roles. Here: whoever may change members may change all.

    A later stage puts another into `app.extensions["roles"]`. Its `before_...` are called while
    nobody else changes who belongs to the tenant, and refuse by raising a `Refused`.
    """

    overview: Place | None = None
    of_member: Place | None = None

    def choices(self) -> list[tuple[str, str]]:
        """What somebody may be invited as: each with its words."""
        return list(CHOICES)

    def before_change(self, membership: Membership, role: str) -> None:
        """Somebody is about to become an owner or a member."""

    def before_removal(self, membership: Membership) -> None:
        """Somebody is about to leave, or to be removed."""

    def before_invitation(self, invitation: Invitation, choice: str) -> str:
        """Somebody is about to be invited as one of the choices; answers owner or member."""
        return choice

    def before_revocation(self, invitation: Invitation) -> None:
        """An invitation is about to be taken back."""

    def choice_of(self, invitation: Invitation) -> str:
        """What an invitation invites to: one of the choices."""
        return invitation.role

    def after_joining(self, invitation: Invitation, membership: Membership) -> None:
        """An invited person has joined."""

    def titles(self, roles: dict[UUID, str]) -> dict[UUID, list[str]]:
        """What to call the roles of people, by their ids."""
        return {person: [role] for person, role in roles.items()}

    def titles_of_invitations(self, invitations: Iterable[Invitation]) -> dict[UUID, str]:
        """What to call the roles that people are invited to, by the invitations' ids."""
        return {invitation.id: invitation.role for invitation in invitations}


def init_app(app: Flask) -> None:
    app.extensions["roles"] = Roles()


def roles() -> Roles:
    """The roles that this application knows."""
    known: Roles = current_app.extensions["roles"]
    return known
