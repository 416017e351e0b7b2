"""Asking a provider of identities: an address that somebody typed must not lead into our network.

In production only https is asked, and only at public addresses. The address that was looked up is
the one that is connected to, so a name that answers otherwise a moment later changes nothing.
Redirects aren't followed, answers are read up to a megabyte.
"""

import socket
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import orjson
from flask import current_app

from app.errors import Refused

PATIENCE_SECONDS = 5
LARGEST = 1_000_000


class ProviderRefused(Refused):
    """The provider doesn't answer, or answers what it must not."""

    status = 502
    title = "The sign-on of this workspace doesn't work"


def refuse_address(url: str) -> None:
    """Raises `ProviderRefused` for an address that isn't asked."""
    parts = urlsplit(url)
    schemes = {"https"} if current_app.config["SETTINGS"].in_production else {"https", "http"}
    try:
        _ = parts.port
    except ValueError:
        raise ProviderRefused(f"{url!r} isn't an address.") from None
    if parts.scheme not in schemes or not parts.hostname or parts.username or parts.fragment:
        raise ProviderRefused(f"{url!r} isn't an address that begins with https://.")


def address_of(host: str, port: int) -> str:
    """Where a host is: the address to connect to; in production a public one."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ProviderRefused(f"{host} can't be found.") from error
    addresses = [str(one[4][0]).partition("%")[0] for one in found]
    if current_app.config["SETTINGS"].in_production:
        for one in addresses:
            if not is_public(one):
                raise ProviderRefused(f"{host} is at an address that isn't public.")
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an address is in the open internet, also when it hides in another kind."""
    parsed = ip_address(address)
    hidden = getattr(parsed, "ipv4_mapped", None) or getattr(parsed, "sixtofour", None)
    return parsed.is_global and not parsed.is_multicast and (hidden is None or hidden.is_global)


def ask(method: str, url: str, **kwargs: Any) -> dict[str, Any]:
    """A provider's answer: a JSON object. Raises `ProviderRefused`."""
    import requests  # Slow to import, and for a log-in only.

    from app.stages.hardened.signin.pinned import Pinned

    refuse_address(url)
    with requests.Session() as session:
        session.trust_env = False  # No proxy and no .netrc of this machine.
        for scheme in ("https://", "http://"):
            session.mount(scheme, Pinned())
        try:
            with session.request(
                method, url, timeout=PATIENCE_SECONDS, allow_redirects=False, stream=True, **kwargs
            ) as answer:
                status = answer.status_code
                body = answer.raw.read(LARGEST + 1, decode_content=True)
        except requests.RequestException as error:
            raise ProviderRefused("Its provider doesn't answer. Try again in a minute.") from error
    if status != 200 or len(body) > LARGEST:
        raise ProviderRefused(f"Its provider answered with status {status}.")
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ProviderRefused("Its provider's answer can't be read.") from error
    if not isinstance(told, dict):
        raise ProviderRefused("Its provider's answer can't be read.")
    return told
