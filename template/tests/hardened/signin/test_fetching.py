"""Asking a provider over https: the certificate is the name's, whatever address it has."""

import threading
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask, jsonify, request
from werkzeug.serving import make_server

from app.db import now
from app.dev.postgres import free_port
from app.stages.hardened.signin.fetching import ProviderRefused, ask
from tests.services.system import Quiet


@pytest.fixture(params=["localhost", "another.test"])
def site(request, tmp_path):
    """A server with a certificate for a name: answers the name, where it is, and whom to trust."""
    certificate, key = certificate_for(request.param, tmp_path)
    port = free_port()
    server = make_server(
        "localhost",
        port,
        make_app(),
        threaded=True,
        request_handler=Quiet,
        ssl_context=(str(certificate), str(key)),
    )
    threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
    yield request.param, f"https://localhost:{port}/", str(certificate)
    server.shutdown()
    server.server_close()


def make_app():
    app = Flask("provider")
    app.add_url_rule("/", view_func=lambda: jsonify(host=request.host), endpoint="here")
    return app


def certificate_for(name, folder):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - timedelta(days=1))
        .not_valid_after(now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, private


def test_the_certificate_must_be_the_names(app, site):
    name, url, trusted = site
    with app.app_context():
        if name == "localhost":
            assert ask("GET", url, verify=trusted)["host"] == url[len("https://") : -1]
        else:
            with pytest.raises(ProviderRefused, match="doesn't answer"):
                ask("GET", url, verify=trusted)


def test_a_certificate_that_nobody_vouches_for_is_refused(app, site):
    _name, url, _trusted = site

    with app.app_context(), pytest.raises(ProviderRefused, match="doesn't answer"):
        ask("GET", url)
