"""What stops work on a tenant's cloud account, in words for people."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.errors import Refused


class AccountTrouble(Refused):
    """AWS refused, or doesn't answer."""

    title = "The cloud account can't be reached"


@contextmanager
def told(doing: str, hint: str) -> Iterator[None]:
    """Say what was being done when AWS refused. boto3 has an exception for each kind of trouble."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise AccountTrouble(f"{doing}: {error}", hint=hint) from error
