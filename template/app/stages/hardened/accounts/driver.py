"""Reaches a tenant's database in its own account: where it is and its passwords lie there.

A target of the kind `account` says in its details

    role_arn      the role in the account that we may take
    external_id   what that role's trust asks for; each tenant has its own

and in `secret_ref` the ARN of the secret in that account. The secret has `host`, `port`,
`password` and `owner_password`, so a database that is moved or restored there, or a password that
is changed, is found without a change in the catalog.
"""

import re
from dataclasses import replace

import orjson

from app.stages.hardened.accounts.errors import AccountTrouble, told
from app.stages.hardened.accounts.sessions import Role, Sessions, client
from app.stages.hardened.catalog.drivers import NoDriver, url_of
from app.stages.hardened.catalog.places import Target

KIND = "aws-secretsmanager:"
ROLE = re.compile(r"arn:[a-z-]+:iam::(?P<account>\d{12}):role/[\w+=,.@/-]+")
SECRET = re.compile(r"arn:[a-z-]+:secretsmanager:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):.+")
LEAST_EXTERNAL_ID = 16
PORT = 5432


class AccountDriver:
    """Asks the tenant's account for its database, each time that connections are opened anew."""

    def __init__(self) -> None:
        self.sessions = Sessions()

    def engine_url(self, target: Target) -> str:
        found = self.ask(target)
        return url_of(at(target, found), target.role, text_of(target, found, "password"))

    def owner_url(self, target: Target) -> str:
        found = self.ask(target)
        password = text_of(target, found, "owner_password")
        return url_of(at(target, found), target.owner_role, password)

    def ask(self, target: Target) -> dict[str, object]:
        """What the secret in the account says."""
        self.refuse_what_it_cannot_reach(target)
        arn = target.secret_ref.removeprefix(KIND)
        role = role_of(target)
        keys = self.sessions.keys_for(role, arn)
        hint = f"{arn} must be there, and its account's role must be allowed to read it."
        with told(f"The secret of “{target.name}” can't be read", hint):
            asked = client("secretsmanager", role.region, keys).get_secret_value(SecretId=arn)
        try:
            found = orjson.loads(asked["SecretString"])
        except (KeyError, orjson.JSONDecodeError):
            found = None
        if not isinstance(found, dict):
            raise AccountTrouble(f"The secret of “{target.name}” isn't JSON.", hint=hint)
        return found

    def refuse_what_it_cannot_reach(self, target: Target) -> None:
        missing = [name for name in ("database", "role", "owner_role") if not getattr(target, name)]
        missing += [name for name in ("role_arn", "external_id") if not target.details.get(name)]
        if missing:
            raise NoDriver(f"“{target.name}” doesn't say its {', '.join(missing)}.")
        if target.role == target.owner_role:
            raise NoDriver(
                f"“{target.name}” works as the owner of its tables, who could take the walls down.",
                hint="Give it two roles.",
            )
        refuse_other_accounts(target)


def refuse_other_accounts(target: Target) -> None:
    """A role and a secret of two accounts would be two tenants'."""
    role = ROLE.fullmatch(str(target.details["role_arn"]))
    secret = SECRET.fullmatch(target.secret_ref.removeprefix(KIND))
    if not role or not secret or not target.secret_ref.startswith(KIND):
        raise NoDriver(
            f"“{target.name}” must name a role's ARN, and a secret as {KIND}ARN: terraform output "
            "target shows both."
        )
    if role["account"] != secret["account"]:
        raise NoDriver(
            f"“{target.name}” names a role of account {role['account']} and a secret of account "
            f"{secret['account']}."
        )
    if len(str(target.details["external_id"])) < LEAST_EXTERNAL_ID:
        raise NoDriver(
            f"The external id of “{target.name}” can be guessed: it needs {LEAST_EXTERNAL_ID} "
            "characters."
        )


def role_of(target: Target) -> Role:
    secret = SECRET.fullmatch(target.secret_ref.removeprefix(KIND))
    region = secret["region"] if secret else ""
    return Role(str(target.details["role_arn"]), str(target.details["external_id"]), region)


def at(target: Target, found: dict[str, object]) -> Target:
    """The target with the address that its account tells."""
    host, port = text_of(target, found, "host"), str(found.get("port") or PORT)
    if not port.isdecimal():
        raise AccountTrouble(f"The secret of “{target.name}” has no number as its port.")
    # Nobody listens in on the way from one account to another.
    return replace(
        target, host=host, port=int(port), details={"sslmode": "require"} | target.details
    )


def text_of(target: Target, found: dict[str, object], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not value:
        raise AccountTrouble(f"The secret of “{target.name}” has no {name}.")
    return value
