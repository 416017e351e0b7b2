"""Single sign-on: a workspace's own provider says who its people are (OpenID Connect).

A provider is its workspace's, and is believed there alone. It names somebody by issuer and
subject; the e-mail address that it tells is never who somebody is. So it can sign nobody in to
another workspace, and can't take over an account by telling its address: that account's person
logs in once and connects the two. A session that a provider began opens its workspace only.
"""

import secrets
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from flask import Flask
from flask_login import current_user
from sqlalchemy import select

from app import audit
from app.actor import act_for
from app.auth import emails, invitations, passwords
from app.auth.members import hold_the_door
from app.auth.models import Membership, Organisation, User
from app.auth.panels import Panel, add_panel
from app.db import db
from app.errors import NotAllowed, Refused
from app.stages.hardened.signin import ceremonies, mapping, oidc, sessions
from app.stages.hardened.signin.fetching import ProviderRefused
from app.stages.hardened.signin.models import Sso, SsoLink
from app.stages.services import identity_changes
from app.tenancy import current_tenant, enter, root_url

log = structlog.get_logger()

FLOW, LINK = "sso", "sso link"


class NoSignOn(Refused):
    """There is no such workspace, or it has no provider of its own."""

    status = 404
    title = "No single sign-on there"

    def __init__(self) -> None:
        super().__init__("No workspace with this address has a single sign-on.")


class NotReady(Refused):
    """A provider's secret isn't here: an archive, from which the workspace came, has none."""

    title = "Single sign-on isn't ready"

    def __init__(self) -> None:
        super().__init__(
            "An owner has to enter the client secret again: Settings, Single sign-on.",
            hint="An owner with a second factor or a passkey gets in without it.",
        )


class AnotherLogIn(Refused):
    """An answer that this browser didn't ask for, or that came twice or too late."""

    status = 400
    title = "This log-in can't go on"


class NotLetIn(NotAllowed):
    """The provider vouches for somebody whom the workspace doesn't let in."""


class LocksEverybodyOut(Refused):
    """The rule would keep out whoever makes it."""

    title = "You'd lock yourself out"


@dataclass(frozen=True, slots=True)
class Person:
    """Who a provider says that somebody is."""

    issuer: str
    subject: str
    email: str
    email_verified: bool
    name: str
    # Owner, member and ids of roles, as the claim maps to them.
    given: list[str]

    @property
    def role(self) -> str:
        """What the membership says. Nobody is an owner unless a value says so by name."""
        return "owner" if "owner" in self.given else "member"


def init_app(app: Flask) -> None:
    mapping.init_app(app)
    add_panel(
        app, "log_in", Panel("", "", "Log in with your company", "signin.sso", icon="building")
    )
    add_panel(
        app,
        "settings",
        Panel(
            "Single sign-on",
            "Let your company's own provider (OpenID Connect) say who your people are.",
            "Single sign-on",
            "signin.sso_settings",
            icon="building",
            permission="workspace:write",
        ),
    )
    from app.stages.hardened.signin import sso_settings_views, sso_views  # noqa: F401


def redirect_uri() -> str:
    return root_url("signin.sso_callback", external=True)


def client_of(sso: Sso) -> oidc.Client:
    return oidc.Client(sso.issuer, sso.client_id, sso.client_secret, redirect_uri())


def begin(slug: str, target: str) -> tuple[str, str]:
    """Where to send somebody who logs in at a workspace's provider, and the secret of the flow."""
    found = select(Sso).join(Organisation, Organisation.id == Sso.tenant_id)
    sso = db.session.scalars(found.where(Organisation.slug == slug)).one_or_none()
    if sso is None:
        raise NoSignOn
    if not sso.client_secret:
        raise NotReady
    nonce, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    state = ceremonies.begin(
        FLOW,
        tenant=sso.tenant_id.hex,
        issuer=sso.issuer,
        client=sso.client_id,
        nonce=nonce,
        verifier=verifier,
        target=target,
    )
    return oidc.where_to(client_of(sso), state=state, nonce=nonce, verifier=verifier), state


def asked(state: str) -> dict[str, Any]:
    """The flow that an answer belongs to, which is used up by it; raises `AnotherLogIn`."""
    found = ceremonies.take(FLOW, state)
    if found is None:
        raise AnotherLogIn("It took too long, or came twice. Begin again.")
    return found


def person_of(flow: dict[str, Any], code: str, issuer: str) -> tuple[Sso, Person]:
    """Who came back, as the workspace's provider says; raises `ProviderRefused` and the like."""
    sso = db.session.get(Sso, UUID(flow["tenant"]))
    if sso is None or (sso.issuer, sso.client_id) != (flow["issuer"], flow["client"]):
        raise AnotherLogIn("The workspace changed its single sign-on meanwhile. Begin again.")
    if issuer and issuer != sso.issuer:
        raise ProviderRefused("The answer came from another provider than the one that was asked.")
    claims = oidc.claims_of(
        client_of(sso), code=code, nonce=flow["nonce"], verifier=flow["verifier"]
    )
    return sso, Person(
        issuer=sso.issuer,
        subject=claims["sub"],
        email=emails.typed(text_in(claims, "email")),
        # Only the JSON value itself: the text "false" would be true.
        email_verified=claims.get("email_verified") is True,
        name=name_in(claims),
        given=mapping.given_by(sso, claims),
    )


def text_in(claims: dict[str, Any], name: str) -> str:
    found = claims.get(name)
    return found if isinstance(found, str) else ""


def name_in(claims: dict[str, Any]) -> str:
    """The name, on one line and without addresses, as everywhere names are."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text_in(claims, "name")).split())
    return "" if "://" in text or "www." in text.lower() else text[:80]


def domains_of(text: str) -> list[str]:
    return [one.lower().lstrip("@") for one in text.replace(",", " ").split()]


def let_in(sso: Sso, person: Person) -> User | None:
    """The account of somebody whom the provider vouches for, made if it's new.

    None if an account with that address is there already: its own person has to connect it.
    """
    link = link_of(sso.tenant_id, person)
    if link is None:
        refuse_strangers(sso, person)
        if User.with_email(person.email):
            return None
    user = db.session.get_one(User, link.user_id) if link else new_user(person)
    enter(db.session.get_one(Organisation, sso.tenant_id).as_tenant())
    act_for(user.id)
    if link is None:
        connect(sso, person, user)
    elif db.session.get(Membership, (sso.tenant_id, user.id)) is None:
        raise NotLetIn("You were removed from this workspace. An owner may invite you again.")
    return user


def link_of(tenant_id: UUID, person: Person) -> SsoLink | None:
    same = select(SsoLink).where(
        SsoLink.tenant_id == tenant_id,
        SsoLink.issuer == person.issuer,
        SsoLink.subject == person.subject,
    )
    return db.session.scalars(same).one_or_none()


def refuse_strangers(sso: Sso, person: Person) -> None:
    """Somebody new has an address that the provider has verified, in a domain that's let in."""
    if not person.email_verified or "@" not in person.email:
        raise NotLetIn("Your provider hasn't verified your e-mail address. Ask who looks after it.")
    try:
        emails.tidy(person.email)
    except ValueError:
        raise NotLetIn("Your provider doesn't tell an e-mail address that works.") from None
    domain = person.email.rpartition("@")[2].lower()
    if domain not in domains_of(sso.domains):
        raise NotLetIn(f"Addresses at {domain} aren't let into this workspace.")


def new_user(person: Person) -> User:
    """An account whose address nobody has proved to us, with a password that nobody knows."""
    user = User(name=person.name or person.email.partition("@")[0])
    user.set_email(person.email)
    user.password_hash = passwords.hash_password(secrets.token_urlsafe(32))
    db.session.add(user)
    db.session.flush()
    audit.note("user.made_by_sso", user.id, issuer=person.issuer)
    return user


def connect(sso: Sso, person: Person, user: User) -> None:
    """From now on this subject of the provider is that account, in this workspace."""
    db.session.add(
        SsoLink(
            tenant_id=sso.tenant_id,
            issuer=person.issuer,
            subject=person.subject,
            user_id=user.id,
        )
    )
    db.session.flush()
    if db.session.get(Membership, (sso.tenant_id, user.id)) is None:
        admit(person, user)
    audit.note("sso.connected", user.id, issuer=person.issuer)


def admit(person: Person, user: User) -> None:
    """Let somebody new in, as what the claim gives. No role is deleted meanwhile."""
    hold_the_door(current_tenant().id)
    if mapping.gives_nothing(person.given):
        raise NotLetIn(
            "Your provider gives you a role that this workspace doesn't have any more.",
            hint="Ask an owner to look at Settings, Single sign-on.",
        )
    mapping.put(invitations.admit(user, person.role), person.given)


def wait_for_owner_of(sso: Sso, person: Person) -> str:
    """Keep who the provider says it is until the account's person has logged in."""
    return ceremonies.begin(
        LINK,
        tenant=sso.tenant_id.hex,
        issuer=person.issuer,
        subject=person.subject,
        email=person.email,
        given=person.given,
    )


def connect_oneself(key: str) -> str:
    """Connect the account of whoever is signed in, by their own means; answers the slug."""
    here = sessions.this_row()
    user = db.session.get_one(User, current_user.id)
    if (here and here.sso_tenant_id) or not user.email_confirmed_at:
        raise NotLetIn("Log in with your password or a passkey to connect this account.")
    waiting = ceremonies.take(LINK, key)
    if waiting is None:
        raise AnotherLogIn("That took too long. Log in with your company again.")
    if emails.norm(waiting["email"]) != user.email_norm:
        raise NotLetIn(f"Your company's provider means {waiting['email']}; you are {user.email}.")
    sso = db.session.get(Sso, UUID(waiting["tenant"]))
    if sso is None or sso.issuer != waiting["issuer"]:
        raise AnotherLogIn("The workspace changed its single sign-on meanwhile. Begin again.")
    organisation = db.session.get_one(Organisation, sso.tenant_id)
    enter(organisation.as_tenant())
    person = Person(sso.issuer, waiting["subject"], user.email, True, "", waiting["given"])
    connect(sso, person, user)
    return organisation.slug


def change(
    *,
    issuer: str,
    client_id: str,
    client_secret: str,
    domains: str,
    role_claim: str,
    role_map: str,
    enforced: bool,
) -> None:
    """Set the current tenant's provider, once it has answered as the one that it claims to be."""
    if enforced and not may_enforce():
        raise LocksEverybodyOut(
            "Log in by single sign-on yourself, or with a second factor, then close the other ways."
        )
    oidc.metadata_of(issuer)
    role_map = mapping.kept(role_map)
    mapping.demand(role_map)
    tenant_id = current_tenant().id
    sso = db.session.get(Sso, tenant_id)
    if sso is None:
        sso = Sso(tenant_id=tenant_id)
        db.session.add(sso)
    sso.issuer, sso.client_id, sso.domains = issuer, client_id, " ".join(domains_of(domains))
    if client_secret:
        sso.client_secret = client_secret
    sso.role_claim, sso.role_map, sso.enforced = role_claim, role_map, enforced
    identity_changes.note("tenant", tenant_id)
    audit.note("sso.changed", tenant_id, issuer=issuer, enforced=enforced)


def may_enforce() -> bool:
    """Whether whoever asks would still be let in."""
    here = sessions.this_row()
    return here is not None and (here.strong or here.sso_tenant_id == current_tenant().id)


def end() -> None:
    """Let the current tenant have no provider any more; sessions that it began are over there."""
    tenant_id = current_tenant().id
    if sso := db.session.get(Sso, tenant_id):
        db.session.delete(sso)
    identity_changes.note("tenant", tenant_id)
    audit.note("sso.ended", tenant_id)
