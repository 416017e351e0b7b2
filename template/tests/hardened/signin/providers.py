"""Providers of identities: one that may lie, on a real port with real keys, and a real one."""

import base64
import hashlib
import json
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import requests
from flask import Flask, jsonify, redirect, request
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from werkzeug.serving import make_server

from app.dev.postgres import free_port
from tests.services.system import Quiet

CLIENT, SECRET = "we", "between us"


class Provider:
    """An honest provider, until somebody sets one of its lies."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://localhost:{port}"
        self.key = RSAKey.generate_key(2048, {"kid": "one"})
        self.person: dict[str, Any] = {
            "sub": "eve-7",
            "email": "eve@acme.test",
            "email_verified": True,
            "name": "Eve Stone",
        }
        self.claims: dict[str, Any] = {}  # What it says in place of the truth.
        self.metadata: dict[str, Any] = {}
        self.forge: Any = None  # Makes the token, given the claims.
        self.callback: dict[str, str] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []

    def make_app(self) -> Flask:
        app = Flask("provider")
        app.add_url_rule("/.well-known/openid-configuration", view_func=self.configuration)
        app.add_url_rule("/jwks", view_func=self.jwks)
        app.add_url_rule("/authorize", view_func=self.authorize)
        app.add_url_rule("/token", view_func=self.token, methods=["POST"])
        app.before_request(lambda: self.asked.append(request.path))
        return app

    def configuration(self) -> Any:
        here = self.issuer
        return jsonify(
            {
                "issuer": here,
                "authorization_endpoint": f"{here}/authorize",
                "token_endpoint": f"{here}/token",
                "jwks_uri": f"{here}/jwks",
            }
            | self.metadata
        )

    def jwks(self) -> Any:
        return jsonify(keys=[self.key.as_dict(private=False)])

    def authorize(self) -> Any:
        """Log the person in, and lead them back with a code."""
        asked = request.args
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked.to_dict()
        back = {"code": code, "state": asked["state"], **self.callback}
        return redirect(f"{asked['redirect_uri']}?{urlencode(back)}")

    def token(self) -> Any:
        asked = self.codes.pop(request.form["code"], None)
        proof = hashlib.sha256(request.form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(proof).rstrip(b"=").decode()
        given = request.authorization
        if (
            asked is None
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != request.form["redirect_uri"]
            or given is None
            or (given.username, given.password) != (CLIENT, SECRET)
        ):
            return jsonify(error="invalid_grant"), 400
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": asked["client_id"],
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            **self.person,
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        return jsonify(id_token=(self.forge or self.sign)(claims), token_type="Bearer")

    def sign(self, claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.key)

    def unsigned(self, claims: dict[str, Any]) -> str:
        """What `alg: none` looks like."""
        parts = [{"alg": "none"}, claims]
        encoded = [base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in parts]
        return b".".join([*encoded, b""]).decode()

    def by_public_key(self, claims: dict[str, Any]) -> str:
        """HMAC with the public key's own text as the secret: a verifier that's told by the token
        which algorithm to use takes it for the issuer's."""
        secret = OctKey.import_key(self.key.as_pem(private=False))
        return jwt.encode({"alg": "HS256", "kid": "one"}, claims, secret)

    def by_another_key(self, claims: dict[str, Any]) -> str:
        other = RSAKey.generate_key(2048, {"kid": "one"})
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, other)


@contextmanager
def serving(provider: Provider, port: int) -> Iterator[Provider]:
    server = make_server(
        "localhost", port, provider.make_app(), threaded=True, request_handler=Quiet
    )
    thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
    thread.start()
    yield provider
    server.shutdown()
    server.server_close()
    thread.join()


@contextmanager
def real_one(person: dict[str, Any]) -> Iterator[str]:
    """`oidc-provider-mock` as a process of its own; answers its issuer."""
    port = free_port()
    command = ["-m", "oidc_provider_mock", "--port", str(port), "--user-claims", json.dumps(person)]
    process = subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    issuer = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                requests.get(f"{issuer}/.well-known/openid-configuration", timeout=5).close()
                break
            except requests.ConnectionError:
                assert process.poll() is None, "it ended"
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield issuer
    finally:
        process.terminate()
        process.wait(timeout=30)


def go_there(url: str, **form: str) -> str:
    """Log in at the provider, as a browser does; answers where it leads back to."""
    with requests.Session() as session:
        method = "POST" if form else "GET"
        answer = session.request(method, url, data=form, allow_redirects=False, timeout=10)
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
