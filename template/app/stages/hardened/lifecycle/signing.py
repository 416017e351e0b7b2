"""Proofs that are kept: JSON that this service signed (JWS, Ed25519), with the public key inside.

A key that signed a certificate may have been rotated out long before somebody looks at it, so the
proof carries the key, and what is trusted is the key's fingerprint (RFC 7638): one of this
service's own, or one that the reader names.
"""

from collections.abc import Iterable
from typing import Any, cast

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from app.errors import Refused
from app.stages.services import keys


class NotProved(Refused):
    """A signature isn't right, or nobody we trust made it."""

    title = "This proves nothing"


def sign(kind: str, said: dict[str, Any]) -> str:
    """What is said, signed by this service, as one line of text."""
    key = keys.newest(keys.own_keys())
    public = key.key.as_dict(private=False)
    header = {"alg": keys.ALGORITHM, "kid": key.name, "typ": kind, "jwk": public}
    payload = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    return jws.serialize_compact(cast(Any, header), payload, key.key, algorithms=[keys.ALGORITHM])


def read(kind: str, proof: str, trusted: Iterable[str] = ()) -> tuple[dict[str, Any], str]:
    """What a proof says, and the fingerprint of the key that signed it.

    Raises `NotProved` if the text was changed, or if the key is neither ours nor a `trusted` one.
    """
    try:
        found = jws.deserialize_compact(proof.strip(), key_inside, algorithms=[keys.ALGORITHM])
        header = found.headers()
        signer = str(key_inside(found).thumbprint())
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise NotProved(f"The signature isn't right ({type(error).__name__}).") from None
    if header.get("typ") != kind:
        raise NotProved(f"This is signed as {header.get('typ')!r}, not as {kind!r}.")
    if signer not in {*trusted, *(key.name for key in keys.own_keys())}:
        raise NotProved(
            f"It is signed by the key {signer}, which isn't one of this service.",
            hint="If you know that key, name it: --trust " + signer,
        )
    said: dict[str, Any] = orjson.loads(found.payload)
    return said, signer


def key_inside(proof: Any) -> OKPKey:
    """The public key that a proof carries: the signature is checked with it, trust isn't."""
    return OKPKey.import_key(proof.headers()["jwk"])
