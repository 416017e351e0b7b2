"""People: signing up, proving an address, logging in."""

import structlog
from sqlalchemy import delete as sql_delete
from sqlalchemy import update

from app import audit, events
from app.actor import act_for
from app.auth import emails, mails, members, passwords
from app.auth.links import NEW_EMAIL, LinkDoesNotWork
from app.auth.models import ApiToken, Invitation, User
from app.db import db, now
from app.tenancy import enter

log = structlog.get_logger()


def sign_up(name: str, email: str, password: str, *, at: str) -> None:
    """Make a person whose address is to be confirmed, and mail the link.

    Whoever has an account already is told so by mail: the answer on the page is the same for
    both, and takes the same, or it would tell strangers who has an account. `at` is a secret of
    the browser that signs up.
    """
    password_hash = passwords.hash_password(password)
    user = User.with_email(email)
    if user and is_somebodys(user):
        mails.say_that_one_has_an_account(user)
        return
    if user is None:
        user = User()
        user.set_email(email)
        db.session.add(user)
    # Nobody has proved that an unconfirmed account is theirs, so the latest sign-up counts.
    user.name = name
    user.set_password_hash(password_hash)
    mails.ask_for_confirmation(user, at=at)


def confirm(user: User) -> None:
    """The address is theirs: from now on they can log in."""
    user.email_confirmed_at = now()
    user.end_sessions()
    act_for(user.id)
    audit.note("user.signed_up", user.id)
    events.publish("auth.user_signed_up", user=user.id)


def logging_in(email: str, password: str) -> User | None:
    """The person, if the password is right and the address confirmed.

    It takes the same and answers the same whatever was wrong, so that nobody learns from it
    which addresses have an account.
    """
    user = User.with_email(email)
    right = passwords.is_right(user.password_hash if user else None, password)
    if user is None or not right or not user.email_confirmed_at:
        log.warning("log-in refused", account=emails.print_of(email))
        return None
    if passwords.is_outdated(user.password_hash):
        user.password_hash = passwords.hash_password(password)
    return user


def change_password(user: User, password: str) -> None:
    """Set a new password. Every session ends; start a new one where one may go on."""
    user.set_password_hash(passwords.hash_password(password))
    act_for(user.id)
    audit.note("user.password_changed", user.id)
    mails.say_that_the_password_changed(user)


def tell_of_log_in(user: User) -> None:
    """Write down a log-in; whoever belongs to one tenant only has logged in there."""
    if len(user.memberships) == 1:
        enter(user.memberships[0].organisation.as_tenant())
    audit.note("user.logged_in", user.id)
    events.publish("auth.signed_in", user=user.id)


def ask_for_new_email(user: User, email: str) -> None:
    """Mail a link to the new address: until it's opened, the old one counts. Both are told.

    If the new one has an account already, only its mailbox hears so.
    """
    if is_taken(email):
        mails.say_that_the_address_is_taken(email)
    else:
        mails.ask_for_new_email(user, email)
    mails.warn_of_a_new_email(user, email)


def change_email(user: User, email: str) -> None:
    """Be known by a new address, now that a link has proved it. Every session ends."""
    if is_taken(email):
        raise LinkDoesNotWork(NEW_EMAIL.name)
    forget_unproved(email)
    mails.say_that_the_email_changed(user, email)
    user.set_email(email)
    user.end_sessions()
    act_for(user.id)
    audit.note("user.email_changed", user.id)


def is_taken(email: str) -> bool:
    """Whether somebody has an account with this address."""
    holder = User.with_email(email)
    return holder is not None and is_somebodys(holder)


def is_somebodys(user: User) -> bool:
    """Whether an account is in use: its address is proved, or a later stage let it in somewhere."""
    return user.email_confirmed_at is not None or bool(user.memberships)


def forget_unproved(email: str) -> None:
    """Make room where somebody signed up with an address that wasn't theirs."""
    if holder := User.with_email(email):
        db.session.delete(holder)
        db.session.flush()


def log_out_everywhere(user: User) -> None:
    user.end_sessions()
    audit.note("user.logged_out_everywhere", user.id)


def delete(user: User) -> None:
    """Forget a person. What they did stays, without a name; refused while a tenant needs them."""
    memberships = sorted(user.memberships, key=lambda membership: membership.tenant_id)
    for membership in memberships:
        members.hold_the_door(membership.tenant_id)
        db.session.refresh(membership)
        members.make_sure_an_owner_stays(membership)
        db.session.delete(membership)
    db.session.execute(sql_delete(ApiToken).where(ApiToken.user_id == user.id))
    theirs = update(Invitation).where(Invitation.invited_by == user.id)
    db.session.execute(theirs.values(invited_by=None))
    audit.note("user.deleted", user.id)
    left = [membership.tenant_id for membership in memberships]
    events.publish("auth.user_deleted", user=user.id, tenants=left)
    db.session.flush()  # The memberships go before the person they point to.
    db.session.expire(user, ["memberships"])
    db.session.delete(user)


def reset_password(user: User, password: str) -> None:
    """Set a new password by a link, which also proves the address."""
    if not user.email_confirmed_at:
        confirm(user)
    change_password(user, password)
