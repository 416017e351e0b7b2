"""A climb that is killed while it writes: nothing is lost, and the command says what to do."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from tests.climb.command import refusal, stage
from tests.world import Project

LONGEST = 60


def start(project: Project) -> subprocess.Popen[bytes]:
    """Begin a climb in a process group of its own, so that all of it can be killed."""
    return subprocess.Popen(
        [sys.executable, "-m", "scripts.stage", "climb", "tower", "--yes"],
        cwd=project.root,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def note_of(project: Project):
    return project.root / ".git" / "stage-climb"


def wait_until(true, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + LONGEST
    while not true():
        assert process.poll() is None, "the climb ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)


def kill(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def edited(project: Project) -> dict[str, bytes]:
    project.write("app/turns.py", "# Ours.\n" + project.read("app/turns.py"))
    return project.commit().files


def test_killed_in_the_rehearsal_the_project_was_never_touched(project):
    before = edited(project)
    climbing = start(project)
    time.sleep(0.7)
    assert not note_of(project).exists()

    kill(climbing)

    assert project.files == before
    assert project.changes == ""
    assert stage(project, "climb", "tower", "--yes").returncode == 0


def test_killed_as_soon_as_it_writes_it_is_undone_and_climbs_again(project, release, tmp_path):
    before = edited(project)
    climbing = start(project)
    wait_until(lambda: note_of(project).exists() and project.changes, climbing)
    kill(climbing)

    said = refusal(project, "climb", "tower", "--yes")
    assert "A climb to tower was cut off in the middle" in said
    assert "flask stage undo" in said

    assert stage(project, "undo", "--yes").returncode == 0
    assert project.files == before
    assert project.changes == ""
    assert stage(project, "climb", "tower", "--yes").returncode == 0
    expected = release.generate(tmp_path / "fresh", stage="tower").files
    assert set(project.files) == set(expected)


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_moment_it_is_undone(project, seed):
    before = edited(project)
    climbing = start(project)
    wait_until(note_of(project).exists, climbing)
    time.sleep(random.Random(seed).uniform(0, 2.5))
    kill(climbing)

    if project.changes:
        assert "undo" in refusal(project, "climb", "tower", "--yes")
        stage(project, "undo", "--yes")

    assert project.files == before
    assert project.changes == ""
    assert stage(project, "climb", "tower", "--look").returncode == 0


def test_git_alone_repairs_it_too(project):
    before = edited(project)
    climbing = start(project)
    wait_until(lambda: note_of(project).exists() and project.changes, climbing)
    kill(climbing)
    (project.root / ".git/index.lock").unlink(missing_ok=True)

    for command in ("reset --hard --quiet", "clean --force -d --quiet"):
        subprocess.run(["git", *command.split()], cwd=project.root, check=True)

    assert project.files == before
    assert stage(project, "climb", "tower", "--yes").returncode == 0


def test_interrupted_it_takes_itself_back(project):
    before = edited(project)
    climbing = start(project)
    wait_until(lambda: note_of(project).exists() and project.changes, climbing)

    os.killpg(climbing.pid, signal.SIGINT)
    climbing.wait(timeout=LONGEST)

    assert project.files == before
    assert project.changes == ""
    assert not note_of(project).exists()


def test_a_climb_that_goes_on_without_its_command_is_waited_for(project):
    edited(project)
    climbing = start(project)
    wait_until(lambda: note_of(project).exists() and project.changes, climbing)
    os.kill(climbing.pid, signal.SIGKILL)  # Only the command: Copier writes on.
    climbing.wait()

    assert "is running" in refusal(project, "climb", "tower", "--yes")
    kill(climbing)
