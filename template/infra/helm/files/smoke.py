"""Is what was just installed whole? Plain requests through the gateway, nothing written.

The standard library only: it runs in the application's image, which holds no tests.
"""

import json
import os
import re
import sys
import time
from http.client import HTTPConnection
from urllib.parse import urlsplit

GATEWAY = urlsplit(os.environ["GATEWAY"])
PUBLIC = urlsplit(os.environ["PUBLIC_URL"])
PATIENCE = 60


def get(path):
    """Ask as the entrance in front of the gateway would."""
    connection = HTTPConnection(GATEWAY.hostname, GATEWAY.port or 80, timeout=10)
    headers = {"Host": PUBLIC.netloc, "X-Forwarded-Proto": PUBLIC.scheme}
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.getheader("Content-Type", ""), answer.read().decode()


def problem_of(path, kind, sign):
    """What is wrong with the answer to this, or nothing."""
    try:
        status, content, body = get(path)
    except OSError as error:
        return f"no answer: {error}"
    if status != 200:
        return f"status {status}"
    if not content.startswith(kind):
        return f"it is {content}, not {kind}"
    return "" if re.search(sign, body) else f"{sign} isn't in it"


def hidden(path):
    """What the gateway must keep to itself."""
    status, _, _ = get(path)
    return "" if status == 404 else f"status {status}: it's for the inside only"


def version(path):
    _, _, body = get(path)
    found = json.loads(body).get("openapi", "")
    return "" if found.startswith("3.") else f"it describes OpenAPI {found!r}"


CHECKS = [
    ("/healthz", lambda path: problem_of(path, "application/json", '"ok"')),
    ("/readyz", lambda path: problem_of(path, "application/json", '"ok"')),
    ("/", lambda path: problem_of(path, "text/html", "<h1>")),
    ("/login", lambda path: problem_of(path, "text/html", "<h1>")),
    ("/signup", lambda path: problem_of(path, "text/html", "<h1>")),
    ("/openapi.json", version),
    ("/metrics", hidden),
    ("/internal/auth/owners", hidden),
]


def main():
    deadline = time.monotonic() + PATIENCE
    while problem_of("/readyz", "application/json", '"ok"') and time.monotonic() < deadline:
        time.sleep(1)
    bad = 0
    for path, check in CHECKS:
        problem = check(path)
        bad += bool(problem)
        print(f"{'BAD ' if problem else 'good'} {path}  {problem}")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
