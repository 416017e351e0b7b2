"""What auth writes to people.

Text that a stranger chose (a name) stands in no mail to an address that nobody has confirmed, or
we'd send advertisements for them. Invitations are the exception: without the names of who invites
and whereto, nobody would accept one. They are few (see `throttles`).
"""

from flask import current_app

from app import mail
from app.auth import links
from app.auth.models import User
from app.jobs import job
from app.tenancy import current_tenant, root_url


def product() -> str:
    name: str = current_app.config["PRODUCT"]["name"]
    return name


def ask_for_confirmation(user: User, *, at: str = "") -> None:
    """Mail the link that makes an account real. `at` is the browser where one click will do."""
    url = links.CONFIRM.url(user, at=at)
    mail.send(user.email, f"Confirm your address for {product()}", "auth/mail/confirm.txt", url=url)


def say_that_one_has_an_account(user: User) -> None:
    mail.send(user.email, f"You have an account at {product()}", "auth/mail/known.txt")


def say_that_the_password_changed(user: User) -> None:
    subject = f"Your {product()} password was changed"
    mail.send(user.email, subject, "auth/mail/password_changed.txt")


def ask_for_new_email(user: User, email: str) -> None:
    """Mail the link that makes a new address count, to that address."""
    url = links.NEW_EMAIL.url(user, email=email)
    subject = f"Confirm your new address for {product()}"
    mail.send(email, subject, "auth/mail/new_email.txt", url=url)


def say_that_the_address_is_taken(email: str) -> None:
    mail.send(email, f"You have an account at {product()}", "auth/mail/taken.txt")


def warn_of_a_new_email(user: User, email: str) -> None:
    subject = f"A new address for your {product()} account"
    mail.send(user.email, subject, "auth/mail/new_email_asked.txt", email=email)


def say_that_the_email_changed(user: User, email: str) -> None:
    subject = f"Your {product()} account has a new address"
    mail.send(user.email, subject, "auth/mail/email_changed.txt", email=email)


def invite(email: str, token: str, *, inviter: str) -> None:
    """Mail an invitation to the current tenant."""
    tenant = current_tenant()
    mail.send(
        email,
        f"{inviter} invites you to {tenant.name} on {product()}",
        "auth/mail/invitation.txt",
        inviter=inviter,
        workspace=tenant.name,
        url=root_url("auth.invitation", external=True, token=token),
    )


@job
def send_reset_link(email: str) -> None:
    """Mail a link that sets a new password, if anybody has this address.

    The look-up is the job's, so that the page does the same for known and unknown addresses.
    """
    if user := User.with_email(email):
        url = links.RESET.url(user)
        subject = f"Choose a new password for {product()}"
        mail.send(user.email, subject, "auth/mail/reset.txt", url=url)


@job
def send_confirmation_again(email: str) -> None:
    """Mail another link to confirm with, if this address waits for it."""
    user = User.with_email(email)
    if user and not user.email_confirmed_at:
        ask_for_confirmation(user)
