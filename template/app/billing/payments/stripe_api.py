"""Stripe's SDK, held at arm's length: made when first needed, its errors in our words."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson
import structlog
from flask import current_app

from app.errors import Refused, Unavailable
from app.tenancy import key

if TYPE_CHECKING:
    from stripe import StripeClient

log = structlog.get_logger()

TIMEOUT_SECONDS = 10
RETRIES = 1  # A person is waiting; jobs have retries of their own.


class PaymentRefused(Refused):
    """The bank, or the person's account, said no."""

    status = 402
    title = "The payment was refused"


def client() -> "StripeClient":
    """The SDK's client; one a process. It speaks the API version that the SDK was made for."""
    if "stripe" not in current_app.extensions:
        current_app.extensions["stripe"] = make_client()
    made: StripeClient = current_app.extensions["stripe"]
    return made


def make_client() -> "StripeClient":
    # A fifth of a second that an app without Stripe need not pay.
    import stripe
    from stripe import RequestsClient, StripeClient

    stripe.enable_telemetry = False  # It would leave a file in the home folder.
    settings = current_app.config["SETTINGS"]
    return StripeClient(
        settings.stripe_secret_key,
        base_addresses={"api": settings.stripe_api_url} if settings.stripe_api_url else {},
        max_network_retries=RETRIES,
        http_client=RequestsClient(timeout=TIMEOUT_SECONDS),
    )


@contextmanager
def asking() -> Iterator["StripeClient"]:
    """Ask Stripe something. Raises `Unavailable`, or `PaymentRefused` with the bank's words."""
    import stripe

    try:
        yield client()
    except stripe.CardError as error:
        raise PaymentRefused(
            error.user_message or "Your bank refused the payment.",
            hint="Nothing has changed. Try another card.",
        ) from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        log.error("stripe refuses our key", reason=str(error))
        raise Unavailable("Payments aren't set up right; we have been told.") from error
    except (stripe.APIConnectionError, stripe.RateLimitError, stripe.APIError) as error:
        log.warning("stripe away", reason=str(error))
        raise Unavailable("The payment provider doesn't answer right now.") from error


def same_once(kind: str, params: Any) -> dict[str, Any]:
    """Options that make Stripe do the same thing for the same tenant once, however often asked."""
    digest = hashlib.sha256(orjson.dumps(params)).hexdigest()[:16]
    return {"idempotency_key": key(kind, digest)}
