"""Connecting to the address that was found good, whatever its name says a moment later."""

from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from app.stages.hardened.signin.fetching import address_of, refuse_address


class Pinned(HTTPAdapter):
    """Connects to the address that was looked up; certificate and Host are the name's."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        url = request.url or ""
        refuse_address(url)
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        address = address_of(host, port)
        if parts.scheme == "https":
            known = self.poolmanager.connection_pool_kw
            known["server_hostname"] = known["assert_hostname"] = host
        request.headers["Host"] = parts.netloc
        netloc = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        request.url = parts._replace(netloc=netloc).geturl()
        return super().send(request, *args, **kwargs)
