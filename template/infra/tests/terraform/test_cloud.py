"""What Terraform leaves to people: `infra/cloud.py`, against what was applied."""

import importlib.util
import json
import os
from urllib.parse import urlsplit

import boto3
import kubernetes_validate
import pytest
from botocore.stub import Stubber

from tests.tools import INFRA, PROJECT, clean_environment, in_app

SERVICES = ("auth", "billing", "analytics", "features")
GIVEN = {
    "SMTP_URL": "smtps://user:password@mail.example.com",
    "REDIS_URL": "rediss://:token@cache.example.com:6379/0",
}


def load():
    found = importlib.util.spec_from_file_location("cloud", INFRA / "cloud.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


cloud_py = load()


@pytest.fixture(scope="module")
def outputs(cloud, tmp_path_factory):
    path = tmp_path_factory.mktemp("outputs") / "outputs.json"
    path.write_text(cloud.prod.do("output", "-json"))
    return path


@pytest.fixture
def there(cloud, monkeypatch):
    """Whoever calls cloud.py reaches moto, and has these values in the environment."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.endpoint)
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def filled(cloud, outputs, there):
    cloud_py.main(["fill", str(outputs), "--set", "SMTP_URL", "--set", "REDIS_URL"])
    return {service: secret(cloud, service) for service in SERVICES}


def secret(cloud, service):
    vault = cloud.client("secretsmanager")
    return json.loads(vault.get_secret_value(SecretId=f"acme/prod/{service}")["SecretString"])


def test_what_only_a_person_knows_is_asked_for_before_anything_is_written(cloud, outputs, there):
    vault = cloud.client("secretsmanager")
    with pytest.raises(SystemExit, match="only you know REDIS_URL, SMTP_URL"):
        cloud_py.main(["fill", str(outputs)])
    with pytest.raises(vault.exceptions.ResourceNotFoundException):
        vault.get_secret_value(SecretId="acme/prod/auth")


def test_a_setting_that_no_secret_holds_is_refused(outputs, there):
    with pytest.raises(SystemExit, match="SMTP_URI isn't a setting that the secrets hold"):
        cloud_py.main(["fill", str(outputs), "--set", "SMTP_URI"])


@pytest.mark.parametrize("content", [None, "{", "{}", "[]"])
def test_outputs_that_are_none_are_refused(tmp_path, content):
    path = tmp_path / "outputs.json"
    if content is not None:
        path.write_text(content)

    with pytest.raises(SystemExit, match="terraform output -json"):
        cloud_py.main(["fill", str(path)])


def test_each_service_gets_its_own_and_all_share_what_they_must(filled):
    for name in cloud_py.SHARED:
        assert len({settings[name] for settings in filled.values()}) == 1, name
    for name in ("DATABASE_URL", "MIGRATIONS_DATABASE_URL", "SIGNING_KEYS"):
        assert len({settings[name] for settings in filled.values()}) == 4, name
    for service, settings in filled.items():
        url = urlsplit(settings["DATABASE_URL"])
        assert (url.username, url.path) == (service, f"/{service}")
        assert url.query == "sslmode=require"
        assert urlsplit(settings["MIGRATIONS_DATABASE_URL"]).username == f"{service}_owner"


def test_a_second_time_changes_nothing(cloud, outputs, filled, capsys):
    cloud_py.main(["fill", str(outputs)])

    assert capsys.readouterr().out.count("complete") == 4
    assert {service: secret(cloud, service) for service in SERVICES} == filled


@pytest.mark.parametrize("service", ["auth", "features"])
def test_the_application_starts_with_what_is_there(cloud, outputs, filled, service):
    """The names of the infrastructure are those of the application: its own settings read them."""
    said = {name: one["value"] for name, one in json.loads(outputs.read_text()).items()}
    neighbours = {f"{name.upper()}_URL": f"http://{name}:8000" for name in SERVICES}
    environment = clean_environment(
        **neighbours, **said["settings"], **filled[service], SERVES=service, APP_ENV="production"
    )
    program = """
import json, os, sys
from app import settings
settings.load()
known = {name.upper() for name in settings.settings_class().model_fields}
print(json.dumps(sorted(set(sys.argv[1:]) - known)))
"""
    names = [*said["settings"], *filled[service]]

    unknown = in_app("python", "-c", program, *names, env=environment)

    assert json.loads(unknown) == []


def test_the_job_that_makes_databases_is_a_good_one(outputs, filled, capsys):
    cloud_py.main(["databases", str(outputs), "--image", "registry.example.com/app@sha256:0"])

    made, job = json.loads(capsys.readouterr().out)["items"]
    for manifest in (made, job):
        kubernetes_validate.validate(manifest, "1.34", strict=True)
    assert len(made["stringData"]) == 9
    assert made["stringData"]["AUTH_DATABASE_URL"] == filled["auth"]["DATABASE_URL"]
    assert urlsplit(made["stringData"]["ADMIN_DATABASE_URL"]).path == "/postgres"


def test_the_jobs_command_takes_what_the_job_has(outputs, filled, capsys):
    cloud_py.main(["databases", str(outputs), "--image", "app"])
    made, job = json.loads(capsys.readouterr().out)["items"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    program = "import os; from app.stages.services import databases; databases.read(os.environ)"

    in_app("python", "-c", program, env=clean_environment(**made["stringData"]))

    assert container["args"] == ["python", "-m", "app.stages.services.databases"]
    assert (PROJECT / "app/stages/services/databases.py").exists()


def test_manifests_are_good_and_reach_the_secrets(cloud, outputs, capsys):
    cloud_py.main(["manifests", str(outputs)])

    items = json.loads(capsys.readouterr().out)["items"]
    for manifest in items:
        if manifest["kind"] != "SecretStore":  # No kind of Kubernetes' own.
            kubernetes_validate.validate(manifest, "1.34", strict=True)
    by_kind = {one["kind"]: one for one in items}
    role = by_kind["ServiceAccount"]["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
    found = cloud.client("iam").get_role(RoleName=role.rpartition("/")[2])["Role"]
    (trust,) = found["AssumeRolePolicyDocument"]["Statement"]
    assert "system:serviceaccount:app:secrets-reader" in trust["Condition"]["StringEquals"].values()
    assert by_kind["Service"]["spec"]["ports"][0]["nodePort"] == 30080


def test_the_chart_takes_the_values(outputs, capsys, tmp_path):
    helm = pytest.importorskip("helm_python", reason="helm-python-sdk isn't installed")
    import yaml

    cloud_py.main(["values", str(outputs)])
    ours = json.loads(capsys.readouterr().out)
    theirs = yaml.safe_load((INFRA / "helm" / "values-prod.yaml").read_text())
    values = merged(theirs | {"services": {}}, ours)  # What stands there is an example.
    image = f"registry.example.com/app@sha256:{'0' * 64}"
    values["releases"] = {"1.0.0": {"image": image}}

    with helm.Chart.load(str(INFRA / "helm")) as chart:
        found = chart.render(values, name="app", namespace="app")

    texts = [text for path, text in found.items() if path.endswith(".yaml")]
    documents = [one for text in texts for one in yaml.safe_load_all(text) if one]
    external = [one["spec"] for one in documents if one["kind"] == "ExternalSecret"]
    assert {one["secretStoreRef"]["kind"] for one in external} == {"SecretStore"}
    asked = {service: set() for service in SERVICES}
    for key in (key["remoteRef"] for one in external for key in one["data"]):
        asked[key["key"].removeprefix("acme/prod/")].add(key["property"])
    held = json.loads(outputs.read_text())["secret_settings"]["value"]
    assert asked == {service: set(names) for service, names in held.items()}
    assert "Ingress" not in {one["kind"] for one in documents}


def merged(below: dict, above: dict) -> dict:
    """As Helm lays one file of values over another."""
    both = below | above
    for name in set(below) & set(above):
        if isinstance(below[name], dict) and isinstance(above[name], dict):
            both[name] = merged(below[name], above[name])
    return both


def test_the_cache_gets_the_password_first_beside_none_then_alone(monkeypatch, capsys):
    client = boto3.client("elasticache", region_name="eu-central-1")
    group = {"ReplicationGroupId": "acme-prod", "Status": "available", "AuthTokenEnabled": False}
    there = {"ReplicationGroups": [group]}
    which = {"ReplicationGroupId": "acme-prod"}
    outputs = {
        "region": "eu-central-1",
        "cache": {"identifier": "acme-prod", "host": "cache.internal"},
    }
    settings = {"auth": {"REDIS_URL": "rediss://:0123456789abcdef@cache.internal:6379/0"}}
    monkeypatch.setattr(cloud_py, "client", lambda *_: client)

    with Stubber(client) as stubber:
        stubber.add_response("describe_replication_groups", there, which)
        for strategy in ("ROTATE", "SET"):
            wanted = which | {
                "AuthToken": "0123456789abcdef",
                "AuthTokenUpdateStrategy": strategy,
                "ApplyImmediately": True,
            }
            stubber.add_response("modify_replication_group", {}, wanted)
            stubber.add_response("describe_replication_groups", there, which)
        cloud_py.lock_cache(outputs, settings)
        stubber.assert_no_pending_responses()

    assert "wants the password" in capsys.readouterr().out


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit):
        cloud_py.main(["--help"])

    said = capsys.readouterr().out
    assert all(f"cloud.py {name}" in said for name in ("fill", "databases", "manifests", "values"))
    assert os.path.exists(INFRA / "cloud.py")
