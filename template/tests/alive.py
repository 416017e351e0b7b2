"""Which processes are alive: for tests that must leave nothing running."""

import subprocess


def in_session(leader: int) -> dict[int, str]:
    """The processes of a session that are alive, each with its command line."""
    return {pid: args for pid, _, session, args in processes() if session == leader}


def children_of(parent: int) -> list[int]:
    """Who was started by a process, and is alive."""
    return [pid for pid, its_parent, _, _ in processes() if its_parent == parent]


def processes() -> list[tuple[int, int, int, str]]:
    """All that are alive: id, parent, session and command line."""
    command = ["ps", "-A", "-o", "pid=,ppid=,sess=,stat=,args="]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = [line.split(None, 4) for line in found.stdout.splitlines()]
    return [
        (int(pid), int(parent), int(session), args)
        for pid, parent, session, state, args in rows
        if "Z" not in state
    ]
