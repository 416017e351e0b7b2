"""People: signing up, proving an address, logging in."""

from app import audit, events
from app.actor import act_for
from app.auth import mails, passwords
from app.auth.models import User
from app.db import db, now


def sign_up(name: str, email: str, password: str, *, at: str) -> None:
    """Make a person whose address is to be confirmed, and mail the link.

    Whoever has an account already is told so by mail: the answer on the page is the same for
    both, and takes the same, or it would tell strangers who has an account. `at` is a secret of
    the browser that signs up.
    """
    password_hash = passwords.hash_password(password)
    user = User.with_email(email)
    if user and user.email_confirmed_at:
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


def reset_password(user: User, password: str) -> None:
    """Set a new password by a link, which also proves the address."""
    if not user.email_confirmed_at:
        confirm(user)
    change_password(user, password)
