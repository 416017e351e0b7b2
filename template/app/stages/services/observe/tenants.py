"""Which tenants have series of their own: the first so many; the rest are counted together.

All processes of one gunicorn must agree, or a tenant's figures would be scattered over its name
and `other`. So the list is a file beside their counters, and whoever meets a new tenant asks it.
"""

import fcntl
from pathlib import Path
from threading import Lock

from app.stages.services.observe import processes

OTHER = "other"


class Named:
    """The tenants that this process, and those beside it, count by name."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.slugs: set[str] = set()
        self.lock = Lock()

    def name_of(self, slug: str) -> str:
        """What a tenant is called in a metric."""
        if slug in self.slugs:
            return slug
        if len(self.slugs) >= self.most:
            return OTHER
        with self.lock:
            self.add(slug)
        return slug if slug in self.slugs else OTHER

    def add(self, slug: str) -> None:
        """Note a tenant if there is room, here and for the processes beside this one."""
        folder = processes.folder()
        if folder is None:
            if len(self.slugs) < self.most:
                self.slugs.add(slug)
            return
        self.slugs |= together(folder / "tenants.txt", slug, self.most)


def together(file: Path, slug: str, most: int) -> set[str]:
    """Add a tenant to the list that processes share, if there is room; answers the list."""
    with file.open("a+", encoding="utf-8") as shared:
        fcntl.flock(shared, fcntl.LOCK_EX)
        shared.seek(0)
        slugs = set(shared.read().split())
        if slug not in slugs and len(slugs) < most:
            slugs.add(slug)
            shared.write(f"{slug}\n")
        return slugs
