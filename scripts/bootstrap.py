"""Starts the noxfile where there is Python and git, and nothing else.

nox and uv go into `.tools/`, a virtual environment of their own, so that neither the system's
Python (which may refuse `pip install`) nor anything of yours is touched. Delete it as you like.

The syntax here suits any Python 3, so that an old one gets a sentence, not a traceback.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOOLS = os.path.join(ROOT, ".tools")
NEEDED = ["nox>=2026.10,<2027", "uv>=0.13,<1"]
OLDEST = (3, 11)


def run_nox(noxfile):
    """Install the tools if need be, and go on as `nox`; doesn't return."""
    os.environ.setdefault("STAGECOACH_STARTED", str(time.time()))
    refuse_what_is_missing()
    install_tools()
    os.environ["PATH"] = os.pathsep.join([programs(), os.environ.get("PATH", os.defpath)])
    command = [python(), "-m", "nox", "--noxfile", noxfile, *sys.argv[1:]]
    if os.name == "nt":
        sys.exit(subprocess.call(command))
    os.execv(command[0], command)


def refuse_what_is_missing():
    if sys.version_info < OLDEST:
        have = "{}.{}".format(*sys.version_info)
        sys.exit(f"This needs Python 3.11 or newer; {sys.executable} is {have}.")
    if not shutil.which("git"):
        sys.exit("This needs git. Install it (Debian, Ubuntu: apt install git) and run this again.")
    if not can_make_environments():
        sys.exit(
            "This Python can't make virtual environments. "
            "Install that part of it (Debian, Ubuntu: apt install python3-venv) and run this again."
        )


def can_make_environments():
    return all(importlib.util.find_spec(module) for module in ("venv", "ensurepip"))


def install_tools():
    """Make `.tools/`, unless a finished one with the same contents is there."""
    if is_finished():
        return
    say("First run: installing nox and uv into .tools/ ...")
    make = [sys.executable, "-m", "venv", "--clear", TOOLS]
    install = [python(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in (make, install + NEEDED):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            sys.exit(f"{done.stdout}\nThat did not work: {' '.join(command)}")
    with open(stamp(), "w", encoding="utf-8") as file:
        file.write(contents())


def is_finished():
    """The stamp is written last, so an installation that was interrupted is done again."""
    try:
        with open(stamp(), encoding="utf-8") as file:
            return file.read() == contents() and os.path.exists(python())
    except FileNotFoundError:
        return False


def contents():
    return "\n".join([sys.version, *NEEDED])


def stamp():
    return os.path.join(TOOLS, "finished")


def programs():
    return os.path.join(TOOLS, "Scripts" if os.name == "nt" else "bin")


def python():
    return os.path.join(programs(), "python.exe" if os.name == "nt" else "python")


def say(sentence):
    print(sentence, flush=True)
