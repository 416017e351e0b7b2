"""Bad values are refused before anything is installed, in words that say what to change."""

import helm_python as helm
import pytest

from tests.helm.chart import ONE, TWO, render, values_of

PEER = {"ipBlock": {"cidr": "10.20.0.0/16"}}


def nested(path, value):
    for name in reversed(path.split("/")):
        value = {name: value}
    return value


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("replicas", 3, "additional properties 'replicas' not allowed"),
        ("settings/PUBLIC_ULR", "x", "additional properties 'PUBLIC_ULR' not allowed"),
        ("settings/SECRET_KEY", "x", "additional properties 'SECRET_KEY' not allowed"),
        ("settings/PUBLIC_URL", "app.example.com", "'/settings/PUBLIC_URL'"),
        ("settings/PUBLIC_URL", "https://example.com/app", "'/settings/PUBLIC_URL'"),
        ("settings/WEB_CONCURRENCY", 0, "'/settings/WEB_CONCURRENCY': minimum: got 0, want 1"),
        ("settings/LOG_LEVEL", "LOUD", "'DEBUG', 'INFO', 'WARNING', 'ERROR'"),
        ("extraSettings/DATABASE_URL", "x", "DATABASE_URL"),
        ("secrets/keys", ["DATABASE_URL"], "value must be 'SIGNING_KEYS'"),
        ("secrets/optionalKeys", ["MIGRATIONS_DATABASE_URL"], "'/secrets/optionalKeys/0'"),
        ("secrets/from", "vault", "value must be one of 'external', 'existing'"),
        ("networkPolicies/database/to", [{"ipBlock": {"cidr": "10.0.0.0/99"}}], "ipBlock/cidr"),
        ("networkPolicies/database/to", [], "'/networkPolicies/database/to': minItems"),
        ("networkPolicies/entrance/from", [], "'/networkPolicies/entrance/from': minItems"),
        ("gateway/settings/GATEWAY_TRUSTED", "10.0.0.0", "'/gateway/settings/GATEWAY_TRUSTED'"),
        ("web/autoscaling/cpuPercent", 120, "maximum: got 120, want 95"),
        ("services/mail", {}, "additional properties 'mail' not allowed"),
        ("entrance/kind", "httproute", "'/entrance/parents': minItems"),
        ("gateway/image", "caddy", "'/gateway/image'"),
        ("releases/UPPER", {"image": "app:1"}, "invalid propertyName 'UPPER'"),
        ("releases/1.4.0", {"image": "app"}, "'/releases/1.4.0/image'"),
    ],
)
def test_the_schema_refuses(path, value, said):
    with pytest.raises(helm.HelmValuesError) as error:
        render(values_of("prod", nested(path, value)))

    assert said in str(error.value)


def test_no_release_is_refused():
    values = values_of("prod") | {"releases": {}}

    with pytest.raises(helm.HelmValuesError, match="'/releases': minProperties"):
        render(values)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"workersRelease": "9.9"}, 'workersRelease is "9.9", which isn\'t one of releases: 1.4.0'),
        ({"releases": TWO}, "defaultRelease must say which of the releases 1.4.0, 1.5.0 it means"),
        (
            {
                "releases": {"1-4-0": ONE["1.4.0"]},
                **dict.fromkeys(["defaultRelease", "workersRelease", "migrationsRelease"], "1.4.0"),
            },
            "two of the releases 1-4-0, 1.4.0 would have one name",
        ),
        ({"releases": {"1.4.0": {"image": "app:latest"}}}, "What latest is changes while it runs"),
        (
            {"gateway": {"settings": {"GATEWAY_TRUSTED": "0.0.0.0/0"}}},
            "then anybody could say who they are",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(change, said):
    with pytest.raises(helm.HelmRenderError) as error:
        render(values_of("prod", change))

    assert said in str(error.value)
