"""The tenant in the URL: where links lead, and who may follow them."""

import pytest
from flask import url_for

from app.auth import tenants
from app.tenancy import root_url, slug_in_url, tenant_or_none, tenant_url


def test_links_inside_a_tenant_stay_inside_without_naming_it(app):
    with app.test_request_context(environ_overrides=inside("acme")):
        assert url_for("pages.home") == "/t/acme/"


def test_links_lead_into_another_tenant_and_out_of_all(app):
    with app.test_request_context(environ_overrides=inside("acme")):
        assert tenant_url("initech", "health.live") == "/t/initech/healthz"
        assert root_url("health.live") == "/healthz"
        assert root_url("health.live", external=True) == "http://localhost:5000/healthz"


@pytest.mark.parametrize(
    ("path", "slug"),
    [
        ("/t/acme/", "acme"),
        ("/t/acme", "acme"),
        ("/t/acme/deep/er", "acme"),
        ("/t//x", None),
        ("/t/", None),
        ("/tt/acme", None),
        ("/", None),
    ],
)
def test_the_slug_is_read_from_the_path(app, path, slug):
    seen = []
    app_before = app.before_request_funcs.setdefault(None, [])
    app_before.insert(0, lambda: seen.append(slug_in_url()))

    app.test_client().get(path)

    app_before.pop(0)
    assert seen == [slug]


def test_a_tenant_on_a_subdomain(make_app):
    app = make_app(tenant_domain="example.test", public_url="https://example.test:8443")

    with app.test_request_context("/"):
        assert tenant_url("acme") == "https://acme.example.test:8443/"
        assert root_url("health.live") == "https://example.test:8443/healthz"


def test_with_subdomains_pages_may_use_the_common_host_and_lead_to_tenants(make_app):
    """Styles come from the common host, and the form of the log-in ends at a tenant's."""
    app = make_app(tenant_domain="example.test", public_url="https://example.test:8443")

    policy = app.test_client().get("/login").headers["Content-Security-Policy"]

    ours = "'self' https://example.test:8443 https://*.example.test:8443"
    for directive in ("default-src", "img-src", "form-action"):
        assert f"{directive} {ours}" in policy, directive
    assert "unsafe" not in policy


def test_a_tenant_ends_with_its_request(app, acme):
    acme.get("/")

    with app.app_context():
        assert tenant_or_none() is None


def inside(slug):
    return {"SCRIPT_NAME": f"/t/{slug}", "app.script_name_outside": ""}


def test_the_common_host_may_lie_beside_the_tenants(make_app, acme):
    app = make_app(tenant_domain="example.test", public_url="https://portal.example.test")
    client = app.test_client()

    assert client.get("/login", base_url="https://portal.example.test").status_code == 200
    assert client.get("/login", base_url="https://acme.example.test").location == (
        "https://portal.example.test/login"
    )
    with app.app_context(), pytest.raises(tenants.SlugRefused):
        tenants.refuse_unusable("portal")


def test_behind_a_proxy_the_tenant_is_in_the_host_that_was_asked_for(make_app):
    app = make_app(
        tenant_domain="example.test", public_url="https://example.test", trusted_proxies=1
    )
    forwarded = {"X-Forwarded-Host": "acme.example.test", "X-Forwarded-Proto": "https"}

    answer = app.test_client().get("/login", base_url="http://10.0.0.5:8000", headers=forwarded)

    assert answer.location == "https://example.test/login"
