"""OpenID Connect's code flow with PKCE: where to send somebody, and what comes back is checked.

What is checked: issuer, audience, signature by a key of the issuer's with an algorithm that has a
public key (so neither `none` nor HMAC), times, nonce. What a provider says of itself is asked anew
at each log-in, so that new keys and new addresses count at once.
"""

from dataclasses import dataclass
from hmac import compare_digest
from typing import Any

import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from app.stages.hardened.signin.fetching import ProviderRefused, ask, refuse_address

log = structlog.get_logger()

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
LEEWAY_SECONDS = 60
LONGEST_SUBJECT = 255
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True, slots=True)
class Client:
    """We, as a provider knows us."""

    issuer: str
    id: str
    secret: str
    redirect_uri: str


def metadata_of(issuer: str) -> dict[str, Any]:
    """What the issuer says of itself; raises `ProviderRefused` if it's another one's."""
    told = ask("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    if told.get("issuer") != issuer:
        raise ProviderRefused(
            f"Its provider says that it's {told.get('issuer')!r}, not {issuer!r}."
        )
    for name in ENDPOINTS:
        if not isinstance(told.get(name), str):
            raise ProviderRefused(f"Its provider doesn't say where its {name} is.")
        refuse_address(told[name])
    return told


def where_to(client: Client, *, state: str, nonce: str, verifier: str) -> str:
    """The provider's address to send somebody to."""
    # Slow to import, and for a log-in only.
    from authlib.integrations.requests_client import OAuth2Session  # type: ignore[import-untyped]

    endpoint = metadata_of(client.issuer)["authorization_endpoint"]
    session = OAuth2Session(
        client.id,
        scope="openid email profile",
        redirect_uri=client.redirect_uri,
        code_challenge_method="S256",
    )
    url, _state = session.create_authorization_url(
        endpoint, state=state, nonce=nonce, code_verifier=verifier
    )
    return str(url)


def claims_of(client: Client, *, code: str, nonce: str, verifier: str) -> dict[str, Any]:
    """Who came back with this code; raises `ProviderRefused`."""
    metadata = metadata_of(client.issuer)
    body = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": client.redirect_uri,
        "code_verifier": verifier,
    }
    auth: Any = (client.id, client.secret)
    methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    if "client_secret_basic" not in methods:
        body |= {"client_id": client.id, "client_secret": client.secret}
        auth = None
    told = ask("POST", metadata["token_endpoint"], data=body, auth=auth)
    keys = ask("GET", metadata["jwks_uri"])
    return verified(str(told.get("id_token", "")), keys, client, nonce)


def verified(token: str, keys: dict[str, Any], client: Client, nonce: str) -> dict[str, Any]:
    """The claims of an ID token that holds; raises `ProviderRefused`."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token, KeySet.import_key_set(public_ones(keys)), algorithms=ALGORITHMS
        ).claims
        jwt.JWTClaimsRegistry(
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": client.issuer},
            aud={"essential": True, "value": client.id},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
        ).validate(claims)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        log.warning("ID token refused", reason=repr(error))
        raise ProviderRefused("What its provider says of you can't be verified.") from error
    refuse_claims(claims, client, nonce)
    return claims


def public_ones(keys: dict[str, Any]) -> Any:
    """The issuer's public keys: one that is a shared secret verifies nothing."""
    found = keys.get("keys")
    usable = [one for one in found if one.get("kty") in {"RSA", "EC"}] if found else []
    return {"keys": usable}


def refuse_claims(claims: dict[str, Any], client: Client, nonce: str) -> None:
    """What a signature doesn't prove: that the token is for us, and for this log-in."""
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if (several and claims.get("azp") != client.id) or claims.get("azp", client.id) != client.id:
        raise ProviderRefused("Its provider's answer is for somebody else.")
    if not compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise ProviderRefused("Its provider's answer belongs to another log-in.")
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
        raise ProviderRefused("Its provider doesn't say who you are.")
