"""The contracts between services hold on both sides."""

import json

import pytest

from app.doors import DOORS
from app.stages.services import client, keys, proof, travel
from app.tenancy import serving
from tests.services.wire import contracts
from tests.services.wire.contracts import TENANTS, Example

EXAMPLES = contracts.examples()
each_example = pytest.mark.parametrize("example", EXAMPLES, ids=str)
FEATURES_KEY = keys.new_key()


@pytest.mark.parametrize("door", DOORS)
def test_every_door_has_an_example(door):
    package = door.partition(".")[0]

    assert any(example.door == door for example in EXAMPLES), (
        f"{door} has no example: add one to tests/services/contracts/{package}.json"
    )


@each_example
def test_an_example_is_of_a_door_that_is_there_and_fits_its_signature(example: Example):
    assert example.door in DOORS, f"{example.door} is no front door (any more)."
    travel.arguments_of(example.known).model_validate_json(json.dumps(example.arguments))
    adapter = travel.answer_of(example.known)

    read = adapter.validate_json(json.dumps(example.answer))

    assert json.loads(adapter.dump_json(read)) == example.answer


@each_example
def test_the_service_that_answers_keeps_it(app, service, answering, example: Example):
    """The real route, with a real token, over real rows."""
    with app.app_context():
        contracts.fill()
    features = service("features", signing_keys=[FEATURES_KEY])
    provider = service(example.known.package, features_url=answering(features))
    path, body = travel.path_of(example.known), json.dumps(example.arguments).encode()
    with features.app_context(), serving(TENANTS.get(example.tenant)):
        headers = proof.headers(example.known.package, "POST", path, body)

    answer = provider.test_client().post(path, data=body, headers=headers)

    assert answer.status_code == 200, answer.text
    assert answer.json == example.answer


class Recorded:
    """A neighbour that answers one question, exactly as the file says, and notes what came."""

    def __init__(self, example: Example) -> None:
        self.answer = json.dumps(example.answer).encode()
        self.path = ""
        self.arguments = None
        self.token = ""

    def __call__(self, environ, start_response):
        self.path = environ["PATH_INFO"]
        self.arguments = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        self.token = environ["HTTP_AUTHORIZATION"].partition(" ")[2]
        start_response("200 OK", [("Content-Type", "application/json")])
        return [self.answer]


@each_example
def test_the_client_that_asks_keeps_it(service, answering, example: Example):
    """What it sends is what the file asks, and what comes back is read as the signature says."""
    neighbour = Recorded(example)
    package = example.known.package
    features = service("features", **{f"{package}_url": answering(neighbour)})
    asked = travel.arguments_of(example.known).model_validate_json(json.dumps(example.arguments))
    with features.app_context(), serving(TENANTS.get(example.tenant)):
        answer = client.ask(example.known, dict(asked))
        claims = keys.verify(neighbour.token, "features", package)

    adapter = travel.answer_of(example.known)
    kept = list(answer) if hasattr(answer, "__next__") else answer
    assert json.loads(adapter.dump_json(kept)) == example.answer
    assert neighbour.path == f"/internal/{package}/{example.known.call.__name__}"
    assert neighbour.arguments == example.arguments
    tenant = TENANTS.get(example.tenant)
    assert claims["tenant"] == ([str(tenant.id), tenant.slug, tenant.name] if tenant else None)
