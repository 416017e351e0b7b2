"""The scripts behind the noxfile: starting from nothing, the demo, the table at the end."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scripts import bootstrap, demo, summary


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a few lines in this repository, in an interpreter of their own."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=bootstrap.ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


def bootstrapped(before: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    code = (
        f"from scripts import bootstrap; import sys; {before}; bootstrap.refuse_what_is_missing()"
    )
    return python(code, **environment)


# --- Starting from nothing -----------------------------------------------------------------------


def test_this_machine_has_what_it_takes():
    assert bootstrapped("pass").returncode == 0


def test_an_old_python_is_told_which_one_to_get():
    done = bootstrapped("sys.version_info = (3, 9, 2)")

    assert done.returncode == 1
    assert "needs Python 3.11 or newer" in done.stderr
    assert "is 3.9" in done.stderr


def test_an_old_python_can_read_the_message():
    """No syntax newer than 3.6 on the way to it."""
    for file in ("noxfile.py", "scripts/bootstrap.py"):
        source = (Path(bootstrap.ROOT) / file).read_text("utf-8")
        compile(source, file, "exec", dont_inherit=True, _feature_version=6)


def test_missing_git_is_told_how_to_install(tmp_path):
    done = bootstrapped("pass", PATH=str(tmp_path))

    assert done.returncode == 1
    assert "needs git" in done.stderr
    assert "apt install git" in done.stderr


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_python_without_venv_is_told_how_to_install_it(module):
    hide = (
        "import importlib.util as u; found = u.find_spec; "
        f"u.find_spec = lambda name: None if name == {module!r} else found(name)"
    )

    done = bootstrapped(hide)

    assert done.returncode == 1
    assert "apt install python3-venv" in done.stderr


def test_tools_are_installed_once_and_again_after_an_interruption(tmp_path, monkeypatch):
    monkeypatch.setattr(bootstrap, "TOOLS", str(tmp_path / "tools"))
    monkeypatch.setattr(bootstrap, "NEEDED", [])
    commands = []
    monkeypatch.setattr(
        bootstrap.subprocess, "run", lambda command, **_: commands.append(command) or Done(tmp_path)
    )

    bootstrap.install_tools()
    bootstrap.install_tools()
    assert len(commands) == 2  # One environment, one installation.

    (tmp_path / "tools/finished").unlink()
    bootstrap.install_tools()
    assert len(commands) == 4


class Done:
    """A command that worked, and left an interpreter behind."""

    returncode = 0

    def __init__(self, folder: Path) -> None:
        Path(bootstrap.python()).parent.mkdir(parents=True, exist_ok=True)
        Path(bootstrap.python()).touch()


def test_the_noxfile_starts_where_neither_nox_nor_uv_is_installed(repository):
    """With nothing on the PATH but git; uses the tools of an earlier run when there are any."""
    programs = os.path.dirname(shutil.which("git"))

    done = subprocess.run(
        [sys._base_executable, "-I", "noxfile.py", "--list"],
        cwd=repository,
        env={"PATH": programs, "HOME": os.environ.get("HOME", "/"), **pip_settings()},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "demo" in done.stdout


def pip_settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))}


# --- A step that hangs ---------------------------------------------------------------------------


def within(minutes: float, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "scripts/within.py", str(minutes), *command],
        cwd=bootstrap.ROOT,
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.mark.parametrize("code", [0, 3])
def test_a_command_in_time_answers_what_it_answers(code):
    assert within(1, sys.executable, "-c", f"raise SystemExit({code})").returncode == code


@pytest.mark.skipif(os.name == "nt", reason="Windows has no groups of processes to end")
def test_a_command_that_hangs_is_ended_with_all_that_it_started():
    # The inner one ignores Ctrl-C and holds our end of the pipe: were it left, we would wait.
    done = within(0.01, "sh", "-c", "(trap '' INT; exec sleep 60) & wait")

    assert done.returncode == 124
    assert "Took longer than 0.01 minutes" in done.stdout


# --- The demo ------------------------------------------------------------------------------------


def test_a_port_in_use_is_passed_over():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        assert not demo.is_free(port)

    assert demo.is_free(demo.free_port())


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")

    with pytest.raises(demo.NoDemo, match="holds files that are no project"):
        demo.main(["--dir", str(tmp_path)])

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_bad_name_is_refused_in_a_sentence_and_leaves_nothing(tmp_path):
    with pytest.raises(demo.NoDemo, match="needs a name"):
        demo.main(["--name", " ", "--dir", str(tmp_path / "demo")])

    assert list(tmp_path.iterdir()) == []


def test_a_project_at_another_stage_is_left_alone(tmp_path):
    (tmp_path / ".copier-answers.yml").write_text("stage: services\n")

    with pytest.raises(demo.NoDemo, match="is at services"):
        demo.main(["--stage", "prototype", "--dir", str(tmp_path)])


def test_a_project_is_installed_into_its_own_environment(tmp_path, monkeypatch):
    """nox tells uv by the environment to use the session's."""
    monkeypatch.setenv("UV_PROJECT_ENVIRONMENT", str(tmp_path / "of-nox"))
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'acme-app'\nversion = '1'\n")

    demo.run(["uv", "sync", "--quiet"], tmp_path)

    assert (tmp_path / ".venv").is_dir()
    assert not (tmp_path / "of-nox").exists()


# --- The table at the end ------------------------------------------------------------------------


def test_the_table_says_what_ran_and_what_was_skipped_and_why():
    done = python(
        "from scripts import summary\n"
        "with summary.listing('tests'): summary.remark('41 passed')\n"
        "summary.LINES.append(summary.Line('journey', 'skipped', 0.2, ['no browser']))\n"
    )

    lines = done.stdout.strip().splitlines()
    assert [line.split()[:2] for line in lines] == [["tests", "passed"], ["journey", "skipped"]]
    assert lines[0].endswith("41 passed")
    assert lines[1].endswith("no browser")


def test_a_session_that_breaks_is_in_the_table_too():
    done = python("from scripts import summary\nwith summary.listing('tests'): 1 / 0\n")

    assert done.stdout.split()[:2] == ["tests", "failed"]


def test_a_run_inside_of_a_run_is_listed_by_its_own_name():
    one = '"<testsuites><testsuite tests=\\"{}\\"/></testsuites>"'
    done = python(
        "import os, pathlib\n"
        "from scripts import summary\n"
        "with summary.listing('stage(one)'), summary.counted_tests() as counting:\n"
        "    file = counting['PYTEST_ADDOPTS'].split()[0].partition('=')[2]\n"
        "    for name, count in {'tests': 3, 'stage(one)': 2}.items():\n"
        "        os.environ['NOX_CURRENT_SESSION'] = name\n"
        f"        pathlib.Path(os.path.expandvars(file)).write_text({one}.format(count))\n"
    )

    assert done.stdout.strip().endswith("tests: 3 passed; 2 passed"), done.stderr


def test_skipped_tests_are_counted_with_their_reasons():
    report = ElementTree.fromstring(
        "<testsuites><testsuite tests='5' failures='1' errors='0' skipped='2'>"
        "<testcase><skipped message='no browser'/></testcase>"
        "<testcase><skipped message='no browser'/></testcase>"
        "</testsuite></testsuites>"
    )
    assert summary.count(report) == "2 passed, 1 failed, 2 skipped (no browser)"
