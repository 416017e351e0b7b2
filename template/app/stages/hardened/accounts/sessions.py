"""Sessions in tenants' accounts: a role there that we take for a short while, and nothing else.

A session may do one thing: read the one secret that it was opened for. So what leaks of it opens
no other tenant's account and nothing else in this one, whatever the role's own policy allows.
"""

import json
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app.stages.hardened.accounts.errors import told

SECONDS = 900  # The shortest that STS gives.
# A session isn't used in its last minutes, so that it never ends between being taken and used.
SPARE = timedelta(minutes=2)
SECONDS_TO_AWS = 3


@dataclass(frozen=True, slots=True)
class Role:
    """A role in a tenant's account, and what its trust asks for."""

    arn: str
    external_id: str
    region: str


@dataclass(frozen=True, slots=True)
class Keys:
    """What STS gave for a session."""

    id: str
    secret: str
    token: str
    until: datetime

    @property
    def is_fresh(self) -> bool:
        return datetime.now(UTC) < self.until - SPARE

    def as_options(self) -> dict[str, str]:
        """As boto3 takes them."""
        return {
            "aws_access_key_id": self.id,
            "aws_secret_access_key": self.secret,
            "aws_session_token": self.token,
        }


class Sessions:
    """The sessions that are open, each until shortly before its end."""

    def __init__(self) -> None:
        self.open: dict[tuple[Role, str], Keys] = {}
        self.lock = threading.Lock()

    def keys_for(self, role: Role, secret: str) -> Keys:
        """Those of a session that may read one secret; taken anew when they are about to end."""
        known = self.open.get((role, secret))
        if known is None or not known.is_fresh:
            known = assume(role, secret)
            with self.lock:
                self.open = {at: keys for at, keys in self.open.items() if keys.is_fresh}
                self.open[role, secret] = known
        return known


def assume(role: Role, secret: str) -> Keys:
    """Take the role."""
    account = role.arn.split(":")[4]
    hint = (
        "The account's role must trust ours and ask for the external id that the target names: "
        "both are made by infra/terraform/tenant."
    )
    with told(f"The role of account {account} can't be taken", hint):
        given = client("sts", role.region).assume_role(
            RoleArn=role.arn,
            RoleSessionName="database-address",
            ExternalId=role.external_id,
            DurationSeconds=SECONDS,
            Policy=json.dumps(policy_for(secret)),
        )["Credentials"]
    return Keys(
        given["AccessKeyId"],
        given["SecretAccessKey"],
        given["SessionToken"],
        given["Expiration"],
    )


def policy_for(secret: str) -> dict[str, Any]:
    """What a session may do, at most: read one secret."""
    read = {
        "Effect": "Allow",
        "Action": "secretsmanager:GetSecretValue",
        "Resource": secret,
    }
    # The key that a secret lies under is in the role's own policy; here only through that service.
    region = secret.split(":")[3]
    through = {"kms:ViaService": f"secretsmanager.{region}.amazonaws.com"}
    unlock = {
        "Effect": "Allow",
        "Action": "kms:Decrypt",
        "Resource": "*",
        "Condition": {"StringEquals": through},
    }
    return {"Version": "2012-10-17", "Statement": [read, unlock]}


def client(service: str, region: str | None = None, keys: Keys | None = None) -> Any:
    """A client with little patience; AWS_ENDPOINT_URL may name another AWS, as in tests."""
    import boto3  # It takes half a second to import, and few need it.
    from botocore.config import Config

    patience = Config(
        connect_timeout=SECONDS_TO_AWS,
        read_timeout=SECONDS_TO_AWS,
        retries={"total_max_attempts": 2},
    )
    options = keys.as_options() if keys else {}
    # A session of its own: boto3's common one is not for several threads.
    return boto3.session.Session().client(service, region_name=region, config=patience, **options)
