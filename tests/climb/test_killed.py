"""A climb that is killed while it works or writes: nothing is lost, and it says what to do."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.climb.command import refusal, stage
from tests.world import Project

LONGEST = 60
# A climb that sends itself a signal when it has written so many files.
UNTIL = """
import os, signal, sys
from scripts.stage import __main__ as command, carry
write, left = carry.write, int(sys.argv.pop(1))
sent = getattr(signal, sys.argv.pop(1))
signal.signal(signal.SIGINT, signal.default_int_handler)  # Whoever runs in the background has none.
def write_until(*files):
    global left
    if left == 0:
        os.kill(os.getpid(), sent)
    left -= 1
    write(*files)
carry.write = write_until
command.main(sys.argv[1:])
"""


def climb_until(project: Project, files: int, sent: str) -> int:
    """Climb, and send that signal after so many files; gives how it ended."""
    return subprocess.run(
        [sys.executable, "-c", UNTIL, str(files), sent, "climb", "tower", "--yes"],
        cwd=project.root,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
    ).returncode


def note_of(project: Project):
    return project.root / ".git" / "stage-climb"


def edited(project: Project) -> dict[str, bytes]:
    project.write("app/turns.py", "# Ours.\n" + project.read("app/turns.py"))
    return project.commit().files


@pytest.mark.parametrize("after", [0.3, 1.5])
def test_killed_in_the_rehearsal_the_project_was_never_touched(project, after):
    before = edited(project)
    climbing = subprocess.Popen(
        [sys.executable, "-m", "scripts.stage", "climb", "tower", "--yes"],
        cwd=project.root,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    time.sleep(after)
    assert not note_of(project).exists()

    os.killpg(climbing.pid, signal.SIGKILL)
    climbing.wait()

    assert project.files == before
    assert project.changes == ""
    assert stage(project, "climb", "tower", "--yes").returncode == 0


@pytest.mark.parametrize("files", [0, 1, 3])
def test_killed_while_it_writes_it_is_undone_and_climbs_again(project, release, tmp_path, files):
    before = edited(project)
    assert climb_until(project, files, "SIGKILL") == -signal.SIGKILL
    assert bool(project.changes) == (files > 0)

    if project.changes:
        said = refusal(project, "climb", "tower", "--yes")
        assert "A climb to tower was cut off in the middle" in said
        assert "flask stage undo" in said
        assert stage(project, "undo", "--yes").returncode == 0

    assert project.files == before
    assert project.changes == ""
    assert stage(project, "climb", "tower", "--yes").returncode == 0
    expected = release.generate(tmp_path / "fresh", stage="tower").files
    assert set(project.files) == set(expected)


def test_git_alone_repairs_it_too(project):
    before = edited(project)
    climb_until(project, 2, "SIGKILL")
    assert project.changes

    for command in ("reset --hard --quiet", "clean --force -d --quiet"):
        subprocess.run(["git", *command.split()], cwd=project.root, check=True)

    assert project.files == before
    assert stage(project, "climb", "tower", "--yes").returncode == 0


def test_interrupted_it_takes_itself_back(project):
    before = edited(project)

    assert climb_until(project, 2, "SIGINT") != 0

    assert project.files == before
    assert project.changes == ""
    assert not note_of(project).exists()


def test_a_climb_that_is_running_is_waited_for(project):
    edited(project)
    with subprocess.Popen(
        [sys.executable, "-c", UNTIL, "2", "SIGSTOP", "climb", "tower", "--yes"],
        cwd=project.root,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.DEVNULL,
    ) as climbing:
        deadline = time.monotonic() + LONGEST
        while not (note_of(project).exists() and project.changes):
            assert climbing.poll() is None, "the climb ended before it stopped"
            assert time.monotonic() < deadline
            time.sleep(0.05)

        assert "is running" in refusal(project, "climb", "tower", "--yes")

        climbing.send_signal(signal.SIGCONT)
        assert climbing.wait(LONGEST) == 0
    assert "isn't committed yet" in refusal(project, "climb", "tower", "--yes")
