"""Several processes that count as one: each writes into files, and whoever is asked adds them up.

gunicorn's worker processes share nothing else, and Prometheus reaches one of them by chance.
prometheus_client looks at PROMETHEUS_MULTIPROC_DIR when it is imported, so this module doesn't.
"""

import atexit
import os
import shutil
from pathlib import Path
from tempfile import mkdtemp

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def share() -> None:
    """Let the processes that start from here count together; the files go when this one ends.

    They're in the folder for temporary files, which can be written where nothing else can. A
    worker that ends leaves its file: what it counted stays counted.
    """
    if folder() is not None:  # It is taken up again (SIGHUP), or somebody chose one.
        return
    made = mkdtemp(prefix="metrics-")
    os.environ[VARIABLE] = made
    atexit.register(remove, made, os.getpid())


def remove(made: str, ours: int) -> None:
    """Forked processes have this, too, and must leave the files to the one that made them."""
    if os.getpid() == ours:
        shutil.rmtree(made, ignore_errors=True)


def folder() -> Path | None:
    """Where the processes' files are, if there are several."""
    found = os.environ.get(VARIABLE)
    return Path(found) if found else None
