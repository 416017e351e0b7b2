"""Which processes are alive: for tests that must leave nothing running."""

import subprocess


def in_session(leader: int) -> dict[int, str]:
    """The processes of a session that are alive, each with its command line."""
    found = subprocess.run(
        ["ps", "-A", "-o", "pid=,sess=,stat=,args="], capture_output=True, text=True, check=True
    )
    rows = [line.split(None, 3) for line in found.stdout.splitlines()]
    return {
        int(pid): args for pid, sid, state, args in rows if int(sid) == leader and "Z" not in state
    }
