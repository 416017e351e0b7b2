"""What Terraform leaves to people, because its state must hold no secret.

    terraform -chdir=infra/terraform output -json > outputs.json
    uv run --project infra python infra/cloud.py fill outputs.json --set SMTP_URL
    uv run --project infra python infra/cloud.py databases outputs.json --image IMAGE
    uv run --project infra python infra/cloud.py manifests outputs.json
    uv run --project infra python infra/cloud.py values outputs.json

Whoever runs it needs AWS credentials that may read and write the product's secrets.
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Mapping
from getpass import getpass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import boto3

PROJECT = Path(__file__).parents[1]
# The same in every service: they read each other's sessions, and rows that moved.
SHARED = ("SECRET_KEY", "ENCRYPTION_KEYS", "REDIS_URL", "SMTP_URL")
# What can be made; the rest, only people know.
MADE = (
    "DATABASE_URL",
    "MIGRATIONS_DATABASE_URL",
    "REDIS_URL",
    "SECRET_KEY",
    "ENCRYPTION_KEYS",
    "SIGNING_KEYS",
    "SILO_SECRET",
)
Settings = dict[str, str]
Secrets = dict[str, Settings]


class Refused(SystemExit):
    """It can't be done so; the message says what to do."""


def main(arguments: list[str]) -> None:
    wish = wishes().parse_args(arguments)
    wish.do(outputs_of(wish.outputs), wish)


def wishes() -> argparse.ArgumentParser:
    first, _, more = (__doc__ or "").partition("\n")
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="cloud.py", description=first, epilog=more, formatter_class=shape
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, what: str, do: object) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
        made.add_argument("outputs", type=Path, help="what `terraform output -json` said")
        made.set_defaults(do=do)
        return made

    filling = command("fill", "make the secrets that are missing; those that are there stay", fill)
    filling.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SETTING",
        help="give this one; its value is asked for, or comes from the environment",
    )
    databases = command("databases", "show a Kubernetes Job that makes databases and roles", job)
    databases.add_argument("--image", required=True, help="a release's image")
    command("manifests", "show what the cluster needs before the chart", manifests)
    command("values", "show the chart's values that follow from what Terraform made", values)
    return parser


def outputs_of(path: Path) -> dict[str, Any]:
    try:
        said = json.loads(path.read_text())
        outputs = {name: output["value"] for name, output in said.items()}
        # Terraform leaves out what is null.
        return {"cache": None} | outputs | {"secrets": outputs["secrets"]}
    except FileNotFoundError:
        raise Refused(f"{path} isn't there: terraform output -json > {path}") from None
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError):
        raise Refused(
            f"{path} isn't what `terraform output -json` says of an environment"
        ) from None


def client(service: str, outputs: Mapping[str, Any]) -> Any:
    return boto3.client(service, region_name=outputs["region"])


# --- fill ----------------------------------------------------------------------------------------


def fill(outputs: dict[str, Any], wish: argparse.Namespace) -> None:
    """Complete each service's secret, and give the cache its password."""
    given = {name: asked_for(name, outputs) for name in wish.set}
    before = {service: read(outputs, service) for service in outputs["secrets"]}
    after = completed(before, given, outputs)
    for service, settings in after.items():
        if settings == before[service]:
            print(f"{outputs['secrets'][service]}: complete")
            continue
        write(outputs, service, settings)
        changed = [name for name in settings if settings[name] != before[service].get(name)]
        print(f"{outputs['secrets'][service]}: {', '.join(sorted(changed))}")
    if outputs["cache"]:
        lock_cache(outputs, after)


def asked_for(name: str, outputs: Mapping[str, Any]) -> str:
    known = sorted({one for names in outputs["secret_settings"].values() for one in names})
    if name not in known:
        raise Refused(f"{name} isn't a setting that the secrets hold: {', '.join(known)}")
    return os.environ.get(name) or getpass(f"{name}: ")


def completed(before: Secrets, given: Settings, outputs: Mapping[str, Any]) -> Secrets:
    """The secrets with all their settings; what is only for a person to know is named first."""
    shared = {name: the_one(name, before) for name in SHARED} | given
    known = {
        service: before[service] | {name: shared[name] for name in names if shared.get(name)}
        for service, names in outputs["secret_settings"].items()
    }
    lacking = {
        service: sorted(set(names) - set(known[service]))
        for service, names in outputs["secret_settings"].items()
    }
    refuse_what_only_a_person_knows(lacking, outputs)
    if not any(lacking.values()):
        return known
    new = makers(outputs)
    once = {name: new[name](service) for service in known for name in lacking[service]}
    return {
        service: known[service]
        | {name: once[name] if name in SHARED else new[name](service) for name in lacking[service]}
        for service in known
    }


def refuse_what_only_a_person_knows(
    lacking: Mapping[str, list[str]], outputs: Mapping[str, Any]
) -> None:
    can = set(MADE) - (set() if outputs["cache"] else {"REDIS_URL"})
    missing = sorted({name for names in lacking.values() for name in names} - can)
    if missing:
        options = " ".join(f"--set {name}" for name in missing)
        raise Refused(f"Nothing was changed: only you know {', '.join(missing)}: {options}")


def the_one(name: str, settings: Secrets) -> str:
    """What all services have under that name."""
    found = {one[name] for one in settings.values() if one.get(name)}
    if len(found) > 1:
        raise Refused(f"{name} differs between the services. Give the right one: --set {name}")
    return next(iter(found), "")


def makers(outputs: Mapping[str, Any]) -> dict[str, Callable[[str], str]]:
    """How a new value of a setting is made, for a service."""
    encryption, *signing = new_keys(1 + len(outputs["secrets"]))
    signing_of = dict(zip(outputs["secrets"], signing, strict=True))
    return {
        "DATABASE_URL": lambda service: database_url(service, service, outputs),
        "MIGRATIONS_DATABASE_URL": lambda service: database_url(
            service, f"{service}_owner", outputs
        ),
        "REDIS_URL": lambda _: redis_url(outputs),
        "SECRET_KEY": lambda _: secrets.token_urlsafe(32),
        "ENCRYPTION_KEYS": lambda _: encryption,
        "SIGNING_KEYS": lambda service: signing_of[service],
        "SILO_SECRET": lambda _: secrets.token_urlsafe(32),
    }


def database_url(service: str, role: str, outputs: Mapping[str, Any]) -> str:
    server = outputs["database"]
    where = f"{server['host']}:{server['port']}/{service}"
    return f"postgresql://{role}:{secrets.token_hex(24)}@{where}?sslmode=require"


def redis_url(outputs: Mapping[str, Any]) -> str:
    """With a password of letters and digits, which are all that ElastiCache likes."""
    return f"rediss://:{secrets.token_hex(32)}@{outputs['cache']['host']}:6379/0"


def new_keys(number: int) -> list[str]:
    """A key for encrypted columns, and others to sign with: as the application makes them."""
    program = (
        "from cryptography.fernet import Fernet\n"
        "from app.stages.services.keys import new_key\n"
        f"print(Fernet.generate_key().decode(), *(new_key() for _ in range({number - 1})))"
    )
    words = ["uv", "run", "--project", str(PROJECT), "python", "-c", program]
    outside = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(
        words, cwd=PROJECT, env=outside, check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise Refused(f"The application couldn't make keys:\n{done.stderr}")
    return done.stdout.split()


def read(outputs: Mapping[str, Any], service: str) -> Settings:
    vault = client("secretsmanager", outputs)
    try:
        value = vault.get_secret_value(SecretId=outputs["secrets"][service])
    except vault.exceptions.ResourceNotFoundException:  # There, but nothing is in it yet.
        return {}
    found: Settings = json.loads(value["SecretString"])
    return found


def write(outputs: Mapping[str, Any], service: str, settings: Settings) -> None:
    vault = client("secretsmanager", outputs)
    name = outputs["secrets"][service]
    vault.put_secret_value(SecretId=name, SecretString=json.dumps(settings))


def lock_cache(outputs: Mapping[str, Any], settings: Secrets) -> None:
    """Give the cache the password of REDIS_URL: first beside none, then as the only way in."""
    url = urlsplit(the_one("REDIS_URL", settings))
    name = outputs["cache"]["identifier"]
    elasticache = client("elasticache", outputs)
    (group,) = elasticache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"]
    if url.hostname != outputs["cache"]["host"] or group.get("AuthTokenEnabled"):
        print(f"{name}: left as it is")
        return
    for strategy in ("ROTATE", "SET"):
        elasticache.modify_replication_group(
            ReplicationGroupId=name,
            AuthToken=url.password,
            AuthTokenUpdateStrategy=strategy,
            ApplyImmediately=True,
        )
        elasticache.get_waiter("replication_group_available").wait(ReplicationGroupId=name)
    print(f"{name}: wants the password of REDIS_URL")


# --- databases -----------------------------------------------------------------------------------


def job(outputs: dict[str, Any], wish: argparse.Namespace) -> None:
    """Show a Secret and a Job for `kubectl apply`; the server is reached from the cluster only."""
    metadata = {"name": "databases", "namespace": outputs["namespace"]}
    show(
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": urls(outputs)},
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": metadata,
            "spec": {
                "backoffLimit": 2,
                "activeDeadlineSeconds": 300,
                "ttlSecondsAfterFinished": 3600,
                "template": {"spec": pod(wish.image)},
            },
        },
    )


def urls(outputs: Mapping[str, Any]) -> Settings:
    """The administrator's URL, and both of each service, by the names that the command reads."""
    vault, server = client("secretsmanager", outputs), outputs["database"]
    secret = vault.get_secret_value(SecretId=server["administrator_secret_arn"])["SecretString"]
    admin = json.loads(secret)
    who = f"{quote(admin['username'], safe='')}:{quote(admin['password'], safe='')}"
    where = f"{server['host']}:{server['port']}/postgres"
    found = {"ADMIN_DATABASE_URL": f"postgresql://{who}@{where}?sslmode=require"}
    for service in outputs["secrets"]:
        settings = read(outputs, service)
        if not settings:
            raise Refused(f"{outputs['secrets'][service]} is empty: run cloud.py fill first")
        for name in ("DATABASE_URL", "MIGRATIONS_DATABASE_URL"):
            found[f"{service.upper()}_{name}"] = settings[name]
    return found


def pod(image: str) -> dict[str, Any]:
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "databases",
                "image": image,
                "args": ["python", "-m", "app.stages.services.databases"],
                "envFrom": [{"secretRef": {"name": "databases"}}],
                "resources": {
                    "requests": {"cpu": "100m", "memory": "192Mi"},
                    "limits": {"memory": "384Mi"},
                },
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
    }


# --- manifests -----------------------------------------------------------------------------------


def manifests(outputs: dict[str, Any], _wish: argparse.Namespace) -> None:
    """Show the namespace, the way to the secrets, and the port that the load balancer knows."""
    namespace = outputs["namespace"]

    def named(name: str, **more: object) -> dict[str, Any]:
        return {"name": name, "namespace": namespace, **more}

    role = {"eks.amazonaws.com/role-arn": outputs["secrets_reader_role_arn"]}
    account = {"serviceAccountRef": {"name": "secrets-reader"}}
    provider = {"service": "SecretsManager", "region": outputs["region"], "auth": {"jwt": account}}
    port = {
        "port": 8000,
        "targetPort": "http",
        "nodePort": outputs["gateway_node_port"],
    }
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    show(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": namespace, "labels": restricted},
        },
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": named("secrets-reader", annotations=role),
            "automountServiceAccountToken": False,
        },
        {
            "apiVersion": "external-secrets.io/v1",
            "kind": "SecretStore",
            "metadata": named("aws"),
            "spec": {"provider": {"aws": provider}},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": named("entrance"),
            "spec": {
                "type": "NodePort",
                "selector": {"app.kubernetes.io/component": "gateway"},
                "ports": [port],
            },
        },
    )


# --- values --------------------------------------------------------------------------------------


def values(outputs: dict[str, Any], _wish: argparse.Namespace) -> None:
    """Show values for the chart: for infra/helm/values-<environment>.yaml."""
    prefixes = {name.rpartition("/")[0] for name in outputs["secrets"].values()}
    optional = {name for names in outputs["secret_settings"].values() for name in names}
    inside = [{"ipBlock": {"cidr": outputs["vpc_cidr"]}}]
    roles = {
        service: {"accountAnnotations": {"eks.amazonaws.com/role-arn": arn}}
        for service, arn in outputs["service_role_arns"].items()
    }
    found = {
        "settings": {name: value for name, value in outputs["settings"].items() if value},
        "secrets": {
            "from": "external",
            "prefix": prefixes.pop(),
            "store": {"kind": "SecretStore", "name": "aws"},
            "optionalKeys": sorted(name for name in optional if name.startswith("STRIPE_")),
        },
        "services": roles,
        "gateway": {"settings": {"GATEWAY_TRUSTED": outputs["vpc_cidr"]}},
        # The load balancer is Terraform's, and comes in by the Service of `manifests`.
        "entrance": {"kind": "none"},
        "networkPolicies": {
            "entrance": {"from": inside},
            "database": {"port": outputs["database"]["port"], "to": inside},
            "redis": {"to": inside},
        },
    }
    if administrators := sorted(one for one in optional if one.endswith("_ADMIN_DATABASE_URL")):
        found["tenants"] = {"keys": administrators}
    print(json.dumps(found, indent=2))


def show(*items: dict[str, Any]) -> None:
    """One list of JSON, which is what kubectl reads, too."""
    print(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
