"""Auth and features as two services, and people who are signed in at each."""

from tests.services.identity.conftest import (  # noqa: F401
    ada,
    max_,
    redis,
    started,
    system,
    valkey_here,
)
