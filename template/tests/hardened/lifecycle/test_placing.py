"""Saying where a tenant shall live: what a pipeline gets, and what it gives back."""

import json
from collections.abc import Iterator
from uuid import uuid4

import boto3
import pytest
import sqlalchemy as sa

from app import audit, queue
from app.db import db
from app.stages.hardened.accounts import organization
from app.stages.hardened.catalog import api as catalog
from app.stages.hardened.lifecycle import ledger, operators
from app.stages.hardened.silos.names import database_of
from app.tenancy import Tenant
from tests.hardened.accounts.conftest import aws, endpoint
from tests.hardened.lifecycle.conftest import killed_at
from tests.world import found, sign_in, take_seat

__all__ = ["aws", "endpoint"]

pytestmark = pytest.mark.postgres
SERVER = ("--to", "server", "--region", "eu-central-1")
ACCOUNT = ("--to", "account", "--region", "eu-central-1", "--email", "aws+acme@example.com")
SERVICES = ("features", "billing", "analytics")
ADMINISTRATOR = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds-acme"


@pytest.fixture
def place(world) -> Iterator["Placing"]:
    """Acme in the pool, and the process that places it."""
    seat = found(world.app, "acme", "Acme", "ada@acme.test", "Ada")
    return Placing(world, seat.tenant)


class Placing:
    """`flask tenant place acme`, and what it left behind."""

    def __init__(self, world, tenant: Tenant) -> None:
        self.world, self.tenant, self.id = world, tenant, tenant.id

    def __call__(self, *args: str, app=None) -> str:
        answer = self.world.flask("place", "acme", *args, app=app)
        assert answer.exit_code == 0, answer.output + repr(answer.exception)
        return answer.output

    def refused(self, *args: str, slug: str = "acme", app=None) -> str:
        answer = self.world.flask("place", slug, *args, app=app)
        assert answer.exit_code == 1, answer.output + repr(answer.exception)
        return answer.output

    @property
    def variables(self) -> dict:
        file = self.world.folder / "placements" / f"{self.id}.tfvars.json"
        return json.loads(file.read_text())

    def targets(self) -> list:
        with self.world.app.app_context():
            return catalog.targets()

    def outputs(self, variables: dict | None = None, **changed: object) -> dict:
        """What infra/terraform/tenant answers to the variables that were written."""
        given = variables or self.variables
        return {
            "targets": {
                "sensitive": False,
                "type": ["object", {}],
                "value": {one: made_of(one, given) | changed for one in given["services"]},
            },
            "administrator_secret_arn": {"sensitive": False, "value": ADMINISTRATOR},
        }

    def write(self, outputs: object) -> tuple[str, str]:
        file = self.world.folder / "outputs.json"
        file.write_text(outputs if isinstance(outputs, str) else json.dumps(outputs))
        return "--outputs", str(file)


def made_of(service: str, given: dict) -> dict:
    """As outputs.tf makes a target."""
    account, region = given["account_id"], given["region"]
    name = f"silo_{service}_{given['tenant_id'].replace('-', '')}"
    secret = f"arn:aws:secretsmanager:{region}:{account}:secret:{service}"
    role = {"role_arn": f"arn:aws:iam::{account}:role/{service}"}
    return {
        "kind": given["placement"],
        "host": "db.internal",
        "port": 5432,
        "database": name,
        "role": name,
        "owner_role": f"{name}_owner",
        "secret_ref": f"aws-secretsmanager:{secret}" if account else "",
        "details": role | {"external_id": given["external_id"]} if account else {},
    }


# --- A server of its own -----------------------------------------------------------------------


def test_a_server_of_its_own_is_written_down_then_entered(place):
    said = place(*SERVER)

    assert "terraform output -json" in said
    assert place.variables == {
        "tenant_id": str(place.id),
        "tenant_slug": "acme",
        "placement": "silo",
        "services": ["analytics", "billing", "features"],
        "region": "eu-central-1",
        "account_id": "",
        "external_id": "",
    }
    assert place.targets() == []

    said = place(*place.write(place.outputs()))

    assert "flask tenant move acme --service features --to silo" in said
    assert ADMINISTRATOR in said
    known = place.targets()
    assert [one.name for one in known] == sorted(database_of(one, place.id) for one in SERVICES)
    assert {(one.kind, one.host, one.port) for one in known} == {("silo", "db.internal", 5432)}
    assert all(one.secret_ref.startswith("derived:") for one in known)


def test_to_say_it_again_changes_nothing(place):
    place(*SERVER)
    outputs = place.write(place.outputs())
    place(*outputs)
    before = place.targets(), place.variables

    place(*SERVER)
    place(*outputs)

    assert (place.targets(), place.variables) == before


def test_another_service_can_be_added_later_and_none_is_left_out(place):
    place(*SERVER, "--service", "features")
    assert place.variables["services"] == ["features"]

    place(*SERVER, "--service", "features", "--service", "billing")

    assert place.variables["services"] == ["billing", "features"]
    assert "features was to live there, too" in place.refused(*SERVER, "--service", "billing")


def test_it_stands_in_the_tenants_trail_with_the_operators_name(place):
    place(*SERVER, "-o", "olga@ops.test")

    with place.world.app.app_context():
        rows = db.session.scalars(sa.select(audit.AuditRow).filter_by(tenant_id=place.id)).all()
    (placed,) = [row for row in rows if row.action == "tenant.placed"]
    assert "olga@ops.test" in placed.details
    assert "server" in placed.details


def test_it_can_be_taken_back_until_rows_are_there(place):
    place(*SERVER)
    place(*place.write(place.outputs()))

    place("--to", "pool")

    assert place.targets() == []
    assert "Nobody said that acme" in place.refused(*place.write(place.outputs()))


def test_a_tenant_that_was_placed_can_be_deleted_and_the_variables_stay(place):
    place(*SERVER)
    place(*place.write(place.outputs()))
    file = place.world.folder / "placements" / f"{place.id}.tfvars.json"
    (place.world.folder / "outputs.json").unlink()

    done = place.world.flask("delete", "acme", "--yes", "--no-export")

    assert done.exit_code == 0, done.output
    assert f"yours to destroy, with its variables: {file}" in done.output
    assert place.targets() == []
    assert file.exists()


# --- An account of its own ---------------------------------------------------------------------


@pytest.mark.processes
def test_an_account_is_made_once_and_what_lies_in_it_is_entered(place, aws):
    place(*ACCOUNT)
    first = place.variables
    place(*ACCOUNT)

    assert place.variables == first
    assert first["placement"] == "account"
    assert len(first["external_id"]) >= 16
    client = boto3.client("organizations")
    tags = client.list_tags_for_resource(ResourceId=first["account_id"])["Tags"]
    assert tags == [{"Key": "Tenant", "Value": str(place.id)}]
    assert len(list(organization.accounts(client))) == 2  # Ours and the tenant's.

    place(*place.write(place.outputs()))

    (known,) = [one for one in place.targets() if one.service == "features"]
    assert known.kind == "account"
    assert known.details["external_id"] == first["external_id"]


@pytest.mark.processes
@pytest.mark.kills
@pytest.mark.parametrize(
    ("step", "when"),
    [
        ("choose", "after"),
        ("account", "after"),
        ("account", "noted"),
        ("variables", "after"),
        ("know", "after"),
    ],
)
def test_killed_anywhere_and_run_again_it_is_one_account(place, aws, step, when):
    killed_at(place.world, step, when, "place", "acme", *ACCOUNT)

    place(*ACCOUNT)

    client = boto3.client("organizations")
    made = {one["Id"] for one in organization.accounts(client)} - {
        client.describe_organization()["Organization"]["MasterAccountId"]
    }
    assert made == {place.variables["account_id"]}


@pytest.mark.processes
@pytest.mark.kills
def test_killed_while_entering_none_of_it_is_known(place):
    place(*SERVER)
    outputs = place.write(place.outputs())
    killed_at(place.world, "enter", "after", "place", "acme", *outputs)
    assert place.targets() == []

    place(*outputs)

    assert len(place.targets()) == 3


@pytest.mark.processes
def test_an_address_that_another_account_has_stops_it_and_another_one_is_the_way_on(place, aws):
    organization.ensure_account(uuid4(), "other", "aws+acme@example.com")

    said = place.refused(*ACCOUNT)
    with place.world.app.app_context():
        stopped = ledger.open_one(place.id)
        external_id = stopped.proof["external_id"]
    place(*ACCOUNT[:-1], "aws+more@example.com")

    assert "has the address" in said
    assert place.variables["external_id"] == external_id
    with place.world.app.app_context():
        assert [one.state for one in ledger.recent()] == ["done", "abandoned"]


# --- Silos on the server that has them ---------------------------------------------------------


def test_silos_on_the_known_server_need_no_pipeline(place, postgres_server):
    app = place.world.make(silo_admin_database_url=postgres_server)

    said = place("--to", "silo", "--service", "features", app=app)

    assert "move acme --service features --to silo" in said
    (known,) = place.targets()
    assert (known.kind, known.host) == ("silo", sa.make_url(postgres_server).host)
    assert not (place.world.folder / "placements").exists()


# --- What can't be -----------------------------------------------------------------------------


def test_a_full_server_and_too_many_servers_are_refused(place, postgres_server):
    full = place.world.make(silo_admin_database_url=postgres_server, silos_per_server=2)
    none = place.world.make(most_own_servers=0)

    assert "SILOS_PER_SERVER is 2" in place.refused("--to", "silo", app=full)
    assert "MOST_OWN_SERVERS is 0" in place.refused(*SERVER, app=none)
    assert place.targets() == []


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--to", "server"), "doesn't say in which region"),
        (("--to", "server", "--region", "Frankfurt"), "no AWS region"),
        (("--to", "account", "--region", "eu-central-1"), "needs an address"),
        (("--to", "account", *ACCOUNT[2:4], "--email", "nobody"), "'nobody' is none"),
        (("--to", "silo"), "Nothing says on which server silos are made"),
        (("--to", "silo", "--region", "eu-central-1"), "are for server and account only"),
        ((*SERVER, "--email", "aws@example.com"), "for a cloud account only"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_done(place, args, says):
    assert says in place.refused(*args)
    with place.world.app.app_context():
        assert ledger.recent() == []


def test_a_mistyped_tenant_is_answered_with_what_was_meant(place):
    assert "Did you mean acme?" in place.refused(*SERVER, slug="acmee")


@pytest.mark.parametrize("state", ["suspended", "moving", "deleting", "provisioning"])
def test_a_tenant_that_is_not_active_stays_where_it_is(place, state):
    with place.world.app.app_context():
        tenant = found_tenant(place)
        catalog.set_state(tenant, state, reason="a test")
        db.session.commit()

    assert f"acme is {state}" in place.refused(*SERVER)


def test_one_that_lives_elsewhere_already_is_refused(place):
    place(*SERVER)

    said = place.refused(*ACCOUNT)

    assert "acme shall live in a server of its own already" in said
    assert "--to pool" in said


def test_rows_that_are_outside_of_the_pool_come_back_first(place, postgres_server):
    app = place.world.make(silo_admin_database_url=postgres_server)
    place("--to", "silo", "--service", "features", app=app)
    with app.app_context():
        name = database_of("features", place.id)
        catalog.set_placement(found_tenant(place), "features", name, expected_epoch=0)
        db.session.commit()

    assert "move acme --service features --to pool" in place.refused("--to", "pool")
    assert "shall live in silos" in place.refused(*SERVER)


def test_with_one_process_for_everything_there_is_the_pool_only(app, acme):
    answer = app.test_cli_runner().invoke(args=["tenant", "place", "acme", *SERVER])

    assert answer.exit_code == 1
    assert "With SERVES=all" in answer.output


# --- Outputs that aren't ours ------------------------------------------------------------------


def without(outputs: dict, name: str) -> dict:
    return {key: value for key, value in outputs.items() if key != name}


def test_outputs_before_a_wish_are_refused(place):
    variables = {
        "tenant_id": str(place.id),
        "services": ["features"],
        "placement": "silo",
        "region": "eu-central-1",
        "account_id": "",
        "external_id": "",
    }

    said = place.refused(*place.write(place.outputs(variables)))

    assert "--to server, or --to account" in said


def test_bad_outputs_are_named_and_nothing_is_entered(place):
    place(*SERVER)
    good = place.outputs()
    fewer = place.outputs(place.variables | {"services": ["features"]})
    bad = [
        ("{", "isn't JSON"),
        ([], "isn't what `terraform output -json` writes"),
        ({}, "lack targets and administrator_secret_arn"),
        (without(good, "targets"), "lack targets"),
        (place.outputs(host=""), "targets.features.host"),
        (place.outputs(port="high"), "targets.features.port"),
        (fewer, "The outputs lack billing, analytics"),
        (place.outputs(kind="account"), "is of the kind account"),
        (place.outputs(role="postgres"), "isn't that of acme"),
    ]

    for outputs, says in bad:
        assert says in place.refused(*place.write(outputs))
    assert "can't be read" in place.refused("--outputs", str(place.world.folder / "none.json"))
    assert place.targets() == []


def test_anothers_outputs_are_refused_by_name(place):
    other = found(place.world.app, "initech", "Initech", "bill@initech.test", "Bill").tenant
    place(*SERVER)

    said = place.refused(
        *place.write(place.outputs(place.variables | {"tenant_id": str(other.id)}))
    )

    assert "These are the outputs of initech, not of acme" in said
    assert place.targets() == []


@pytest.mark.processes
def test_another_account_or_external_id_is_refused(place, aws):
    place(*ACCOUNT)
    elsewhere = place.outputs(place.variables | {"account_id": "999999999999"})
    guessed = place.outputs(place.variables | {"external_id": "0" * 16})

    assert "isn't in acme's account" in place.refused(*place.write(elsewhere))
    assert "the external id isn't the one" in place.refused(*place.write(guessed))
    assert place.targets() == []


def found_tenant(place: Placing):
    from app.stages.hardened.lifecycle.finding import find

    return find(str(place.id)).as_tenant()


# --- By operators, on the API and on the page ----------------------------------------------------

API = "/api/v1/me/operator"
PAGE = "/workspaces/operators/acme"


class Operator:
    """Olga, who may look after tenants, at the API and at the page."""

    def __init__(self, place: Placing) -> None:
        self.place = place
        self.app = place.world.make(operators="olga@product.test")
        seat = take_seat(self.app, place.tenant, "olga@product.test", "Olga", "member")
        self.browser = sign_in(self.app, seat).client
        with self.app.app_context():
            token = operators.token("olga@product.test", 600)
        self.headers = {"Authorization": f"Bearer {token}"}
        self.client = self.app.test_client()

    def place_it(self, **asked):
        url = f"{API}/tenants/acme/placement"
        return self.client.post(url, json=asked, headers=self.headers)

    def enter(self, outputs):
        url = f"{API}/tenants/acme/placement/outputs"
        return self.client.post(url, json={"outputs": outputs}, headers=self.headers)

    def done(self, answer) -> dict:
        """The operation that was answered, once a worker has done it."""
        assert answer.status_code == 202, answer.json
        queue.run_pending(self.app)
        url = f"{API}/operations/{answer.json['id']}"
        return self.client.get(url, headers=self.headers).json


@pytest.fixture
def operator(place) -> Operator:
    return Operator(place)


def test_an_operator_places_it_on_the_api(operator, place):
    asked = {"to": "server", "region": "eu-central-1", "services": ["features"]}

    done = operator.done(operator.place_it(**asked))

    assert (done["state"], done["proof"]["variables"]) == ("done", place.variables)
    assert place.variables["services"] == ["features"]

    done = operator.done(operator.enter(place.outputs()))

    assert done["state"] == "done"
    assert [one.service for one in place.targets()] == ["features"]


def test_what_the_api_cannot_do_is_refused_before_anything_is_done(operator, place):
    assert "needs an address" in operator.place_it(to="account", region="eu-central-1").text
    assert operator.place_it(to="moon").status_code == 422
    assert operator.place_it(to="server", services=["auth"]).status_code == 422
    assert operator.enter({"targets": {}}).status_code == 422
    assert queue.run_pending(operator.app) == 0
    assert place.targets() == []


def test_outputs_for_what_is_known_otherwise_are_refused_before_anything_is_begun(operator, place):
    operator.done(operator.place_it(to="server", region="eu-central-1", services=["features"]))
    operator.done(operator.enter(place.outputs()))

    answer = operator.enter(place.outputs(host="another.internal"))

    assert answer.status_code == 409
    assert "is known already, as something else" in answer.json["detail"]
    with operator.app.app_context():
        assert ledger.open_one(place.id) is None


def test_an_operator_places_it_on_the_page(operator, place):
    form = {"to": "server", "region": "nowhere"}
    refused = operator.browser.post(f"{PAGE}/placement", data=form)
    assert refused.status_code == 409
    assert "is no AWS region" in refused.text
    assert 'value="nowhere"' in refused.text  # What was typed is there still.

    begun = operator.browser.post(f"{PAGE}/placement", data=form | {"region": "eu-central-1"})
    queue.run_pending(operator.app)
    assert "eu-central-1" in operator.browser.get(begun.location).text

    refused = operator.browser.post(f"{PAGE}/placement/outputs", data={"outputs": "{"})
    assert "That isn&#39;t JSON" in refused.text
    outputs = json.dumps(place.outputs())
    operator.browser.post(f"{PAGE}/placement/outputs", data={"outputs": outputs})
    queue.run_pending(operator.app)
    assert len(place.targets()) == 3
