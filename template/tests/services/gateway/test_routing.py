"""Each route of the URL map reaches the service that answers it, through a real Caddy."""

import http.client
import re
import subprocess

import pytest
from flask import Blueprint
from werkzeug.routing import BuildError

from app.access import public
from app.stages.services import gateway
from app.stages.services.dev_system import caddy
from tests.browser import PROJECT

UUID = "01890000-0000-7000-8000-000000000000"


def paths_of(app):
    """Every route with its values filled in, and the service that answers it."""
    for rule in app.url_map.iter_rules():
        if gateway.is_hidden(rule):
            continue
        values = dict.fromkeys(rule.arguments, UUID) | (rule.defaults or {})
        with app.test_request_context():
            adapter = app.url_map.bind("localhost")
            try:
                path = adapter.build(rule.endpoint, values, method=next(iter(rule.methods)))
            except BuildError:
                path = rule.rule
        yield path, gateway.owner_of(app, rule)


@pytest.mark.processes
@pytest.mark.parametrize("workspace", ["", "/t/acme", "/t/login"])
def test_every_route_arrives_at_its_owner(app, front, workspace):
    routes = dict(paths_of(app))
    assert set(routes.values()) == {"auth", "billing", "analytics", "features"}

    arrived = {}
    for path in routes:
        answer = front.ask("GET", workspace + path)
        assert answer.status == 200, path
        arrived[path] = answer.json()["service"]
        assert answer.json()["path"] == workspace + path

    assert arrived == routes


@pytest.mark.processes
@pytest.mark.parametrize("path", ["/", "/notes/", "/notes/login", "/loginx", "/t/acme/accounts/1"])
def test_what_nobody_claims_is_the_products(front, path):
    assert front.ask("GET", path).json()["service"] == "features"


@pytest.mark.processes
@pytest.mark.parametrize(
    "path",
    [
        "/internal/auth/identify",
        "/internal",
        "/%69nternal/auth/identify",
        "//internal/auth/identify",
        "/x/../internal/auth/identify",
        "/t/acme/internal/auth/identify",
        "/t/acme//internal/auth/identify",
        "/t/acme/%69nternal/auth/identify",
        "/t%2Facme/internal/auth/identify",
        "/.well-known/jwks.json",
        "/t/acme/.well-known/jwks.json",
        "/metrics",
        "/t/acme/metrics",
    ],
)
def test_what_services_ask_each_other_is_shut(front, services, path):
    connection = http.client.HTTPConnection("127.0.0.1", front.port)
    connection.request("POST", path)  # As it stands: a library would tidy up the path.
    answer = connection.getresponse()
    connection.close()

    assert answer.status == 404
    assert not any(path in line for server in services.values() for line in server.asked)


def test_the_file_for_deployments_is_the_generated_one(configuration):
    committed = (PROJECT / "deploy" / "Caddyfile").read_text()

    assert committed == configuration, "run: uv run flask gateway config --write"


def test_a_teams_new_feature_needs_no_change_of_the_gateway(make_app, configuration):
    app = make_app()
    add_routes(app, "app.features.notes", "/notes/", "/notes/<uuid:note_id>", "/api/v1/notes/")

    assert gateway.caddyfile(app) == configuration


def test_a_feature_below_anothers_address_gets_its_own_way(make_app):
    app = make_app()
    add_routes(app, "app.features.badges", "/members/<uuid:user_id>/badge")

    auth = gateway.patterns_of(app)["auth"]

    assert re.search(auth, f"/t/acme/members/{UUID}/role")
    assert not re.search(auth, f"/t/acme/members/{UUID}/badge")


def test_an_address_that_two_could_mean_is_refused(make_app):
    app = make_app()
    add_routes(app, "app.features.lists", "/workspaces/invitations/all/acceptance")

    with pytest.raises(gateway.Ambiguous, match="invitations/all/acceptance"):
        gateway.caddyfile(app)


def test_a_feature_beside_anothers_pages_is_told_apart(make_app):
    app = make_app()
    add_routes(app, "app.features.looks", "/settings/looks")

    auth = gateway.patterns_of(app)["auth"]

    assert [bool(re.search(auth, f"/settings{rest}")) for rest in ("", "/audit", "/looks")] == [
        True,
        True,
        False,
    ]


def add_routes(app, module, *rules):
    """Routes as a feature of that module has them."""
    blueprint = Blueprint(module.rpartition(".")[2], module)

    @public
    def view(**_):
        return ""

    view.__module__ = module
    for number, rule in enumerate(rules):
        blueprint.add_url_rule(rule, f"view{number}", view)
    app.register_blueprint(blueprint)


def test_caddy_understands_it_and_would_lay_it_out_so():
    file = PROJECT / "deploy" / "Caddyfile"

    for command in (["validate", "--adapter", "caddyfile", "--config"], ["fmt", "--diff"]):
        done = subprocess.run(
            [caddy(), *command, str(file)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_command_shows_it(app, configuration):
    assert app.test_cli_runner().invoke(args=["gateway", "config"]).output == configuration
