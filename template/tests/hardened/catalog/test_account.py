"""A tenant whose database is in an account of its own: found by a role and a secret, over TLS.

The server is a silo's, and a PgBouncer in front of it speaks TLS, as RDS does; the account, the
role and the secret are moto's.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import make_url

from app.db import db
from app.stages.hardened.catalog import api, drivers, routing
from app.stages.hardened.catalog.places import Target
from app.stages.hardened.silos import targets
from app.tenancy import Tenant, serving
from tests.hardened.accounts.conftest import aws, endpoint
from tests.hardened.accounts.made import client_of, make_target
from tests.hardened.bouncer import pgbouncer
from tests.hardened.catalog.placed import API, World
from tests.hardened.catalog.waiting import wait_for
from tests.world import Company

__all__ = ["aws", "endpoint"]
pytestmark = [pytest.mark.postgres, pytest.mark.processes]
TLS = {
    "client_tls_sslmode": "require",
    "client_tls_key_file": "{folder}/key.pem",
    "client_tls_cert_file": "{folder}/certificate.pem",
}


@pytest.fixture
def siloed(world: World, aws: str) -> Iterator[tuple[Company, Target]]:
    """A tenant, and its database's target as the account of its own has it."""
    company = world.company()
    admin = world.silos.url("postgres")
    with world.auth.app_context():
        silo = targets.target_for(admin, "features", company.tenant.id)
        targets.make(admin, silo, company.tenant.id)
        ours, owners = (make_url(url(silo)) for url in (drivers.engine_url, drivers.owner_url))
    users = {str(url.username): str(url.password) for url in (ours, owners)}
    options = {"auth_type": "scram-sha-256", "pool_mode": "session", **TLS}
    with pgbouncer(silo.port, users, own_certificate(), **options) as port:
        held = {"host": "127.0.0.1", "port": port}
        held |= {"password": str(ours.password), "owner_password": str(owners.password)}
        told = make_target(company.tenant.slug, held)
        yield (
            company,
            replace(told, database=silo.database, role=silo.role, owner_role=silo.owner_role),
        )
        for app in (world.features, world.auth):
            routing.close(app)


def own_certificate() -> dict[str, bytes]:
    """A key, and a certificate for it that nobody else vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    today = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return {
        "key.pem": private,
        "certificate.pem": certificate.public_bytes(serialization.Encoding.PEM),
    }


def place(world: World, tenant: Tenant, target: Target) -> None:
    with world.auth.app_context():
        world.fence(tenant, drivers.owner_url(target), "active", 1)
        world.fence(tenant, world.system.databases["features"].owner_url, "gone", 1)
        api.add_target(target)
        api.set_placement(tenant, "features", target.name, expected_epoch=0)
        db.session.commit()


def names(company: Company) -> list[str]:
    return [one["name"] for one in company.get(API).json["items"]]


def test_a_request_is_served_out_of_the_account(world: World, siloed):
    company, target = siloed
    place(world, company.tenant, target)

    assert company.post(API, json={"name": "Far away"}).status_code == 201

    assert names(company) == ["Far away"]
    assert world.count_in_silo(target, "projects", company.tenant.id) == 1
    assert world.count_in_pool("projects", company.tenant.id) == 0


def test_nobody_listens_in_on_the_way(world: World, siloed):
    company, target = siloed
    place(world, company.tenant, target)

    with world.features.app_context(), serving(company.tenant):
        raw = db.session.connection().connection.dbapi_connection

        assert raw.pgconn.ssl_in_use
        assert raw.info.port != world.silos.port


def test_an_account_that_lets_nobody_in_is_its_tenants_trouble_alone(world: World, siloed):
    company, target = siloed
    pooled = world.company()
    place(world, company.tenant, target)
    assert names(company) == []
    arn = target.secret_ref.removeprefix("aws-secretsmanager:")
    client_of(arn, "secretsmanager").delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    routing.close(world.features)

    assert company.get(API).status_code == 503
    assert pooled.get(API).status_code == 200


def test_a_password_that_was_changed_there_is_the_one_that_counts(world: World, siloed):
    """The old one, which the catalog never had, opens nothing."""
    company, target = siloed
    place(world, company.tenant, target)
    arn = target.secret_ref.removeprefix("aws-secretsmanager:")
    client = client_of(arn, "secretsmanager")
    held = json.loads(client.get_secret_value(SecretId=arn)["SecretString"])

    client.put_secret_value(SecretId=arn, SecretString=json.dumps(held | {"password": "another"}))
    routing.close(world.features)
    assert company.get(API).status_code == 503

    client.put_secret_value(SecretId=arn, SecretString=json.dumps(held))

    wait_for(lambda: company.get(API).status_code == 200)  # It's left alone for a moment.
