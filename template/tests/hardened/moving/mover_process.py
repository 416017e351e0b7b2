"""Moves tenants in processes that may be killed at any point.

The application is made once; for each line on standard input, a wish as JSON, a child is forked
that does it. `die_at` names the point at which the child kills itself with SIGKILL. Answers a line
with its exit code and what it said.
"""

import json
import os
import signal
import sys
from typing import Any

from app import create_app
from app.errors import Refused
from app.stages.hardened.lifecycle.finding import find
from app.stages.hardened.moving import moves
from tests.hardened.moving.world import BUSY_SECONDS


def main() -> None:
    app = create_app(json.loads(sys.argv[1]))
    for line in sys.stdin:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            code, said = do(app, json.loads(line))
            os.write(write, said.encode())
            os._exit(code)
        os.close(write)
        with os.fdopen(read) as answer:
            said = answer.read()
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.stdout.write(json.dumps({"code": code, "said": said}) + "\n")
        sys.stdout.flush()


def do(app: Any, wish: dict[str, Any]) -> tuple[int, str]:
    said: list[str] = []

    def reached(point: str) -> None:
        said.append(f"[{point}]")
        if point == wish.get("die_at"):
            os.kill(os.getpid(), signal.SIGKILL)

    with app.app_context():
        tenant = find(wish["slug"]).as_tenant()
        asked = moves.Wish(
            app, tenant, "features", "tests", said.append, reached, 120, BUSY_SECONDS
        )
        try:
            if "goal" in wish:
                said.append(json.dumps(moves.move(asked, wish["goal"])))
            else:
                said.append(str(getattr(moves, wish["do"])(asked)))
        except Refused as refusal:
            return 1, "\n".join([*said, f"{type(refusal).__name__}: {refusal}"])
        except Exception as error:
            return 2, "\n".join([*said, repr(error)])
    return 0, "\n".join(said)


if __name__ == "__main__":
    main()
