"""What a workflow runs is there: a misspelt command is found here, not on the day of a release."""

import json
import sys

import pytest

from tests.tools import PROJECT, in_app, run
from tests.workflows.workflows import FILES, FOLDER, commands, commands_of, jobs, read

COMMANDS = list(commands())


def calls_of(*beginning: str) -> list[tuple[str, list[str]]]:
    """The commands that begin so, with or without `uv run` or something in a cluster before it."""
    found = []
    for where, words in COMMANDS:
        for place in range(len(words)):
            if words[place : place + len(beginning)] == list(beginning):
                found.append((where, words[place + len(beginning) :]))
                break
    return found


DELIVERY = calls_of("python3", "-m", "scripts.delivery")
NOX = calls_of("nox")
READER = """\
import sys
from scripts.delivery.__main__ import wishes
wishes(sys.argv[1:])
"""


def test_the_reader_of_scripts_sees_each_command():
    script = 'a "b c" | d >> "$F"\nx=$(e --f "$(g h)")\ni || { j; exit 1; }\nk ${{ l }} \\\n  m'

    words = [" ".join(words) for words in commands_of(script)]

    assert words[:2] == ["a b c", "d"]
    assert {"e --f substituted", "g h", "k expression m"} <= set(words)


@pytest.mark.parametrize(("where", "words"), DELIVERY, ids=lambda value: " ".join(value)[:60])
def test_a_delivery_command_is_called_as_it_wants(where, words):
    """By its own reader of arguments. What is a variable stands for itself."""
    known = {"$SERVICE": "auth", "$WHAT": "resume"}  # Each is one of a few words.

    done = run(sys.executable, "-c", READER, *[known.get(word, word) for word in words])

    assert done.returncode == 0, f"{where}: {done.stderr}"


def test_a_wrong_call_would_be_found():
    done = run(sys.executable, "-c", READER, "changed", "--before", "main")

    assert done.returncode == 2
    assert "unrecognized arguments: --before" in done.stderr


@pytest.fixture(scope="module")
def sessions() -> dict[str, set[str]]:
    """The sessions of the project's noxfiles."""
    return {
        name: {
            line.split()[1]
            for line in in_app("nox", "-f", name, "-l").splitlines()
            if line.startswith(("*", "-"))
        }
        for name in ("noxfile.py", "infra/noxfile.py")
    }


def test_a_session_of_nox_is_one_that_there_is(sessions):
    """A matrix' sessions are in a variable, so its values are looked at as well."""
    for where, words in NOX:
        noxfile = words[words.index("-f") + 1] if "-f" in words else "noxfile.py"
        named = [word for word in words[words.index("-s") + 1 :] if not word.startswith("$")]
        assert set(named) <= sessions[noxfile], f"{where}: nox {' '.join(words)}"
    for job in jobs():
        checks = job.said.get("strategy", {}).get("matrix", {}).get("check", [])
        assert {name for check in checks for name in check.split()} <= sessions["noxfile.py"]


def test_each_part_of_the_infrastructure_is_a_session(sessions):
    """services.yml runs the parts that `changed` names."""
    parts = {part.name for part in (PROJECT / "infra/tests").iterdir() if part.is_dir()}

    assert {part for part in parts if not part.startswith(("_", "."))} <= sessions[
        "infra/noxfile.py"
    ]


RECORD = ["--why", "--who"]
# What scripts/delivery and the workflows ask of `flask rollout`, with the options.
ROLLOUT = {
    "adopt": RECORD,
    "start": [*RECORD, "--waves"],
    "resume": RECORD,
    "rollback": RECORD,
    "pause": RECORD,
    "abort": RECORD,
    "status": [],
    "check": ["--git"],
}


OPTIONS = """\
import json
from app.stages.services.rollout.command import cli
commands = cli.commands.items()
print(json.dumps({name: [o for p in one.params for o in p.opts] for name, one in commands}))
"""


def test_the_rollout_commands_have_these_options():
    options = json.loads(in_app("python", "-c", OPTIONS))

    for name, wanted in ROLLOUT.items():
        assert set(wanted) <= set(options.get(name, ())), f"flask rollout {name}"
        assert name in options


def test_a_workflow_asks_for_no_other_rollout_command():
    (what,) = [
        inputs["what"]["options"]
        for file in FILES
        if "what" in (inputs := (read(file)["on"].get("workflow_dispatch") or {}).get("inputs", {}))
    ]
    called = {words[words.index("rollout") + 3] for _where, words in DELIVERY if "rollout" in words}

    assert set(what) - {"drop"} <= set(ROLLOUT)
    assert called <= {*ROLLOUT, "$WHAT"}


def test_terraform_is_given_files_that_there_are():
    for where, words in calls_of("terraform"):
        for word in words:
            if word.startswith("-chdir="):
                assert (PROJECT / word.removeprefix("-chdir=")).is_dir(), where
    environments = {
        environment
        for job in jobs()
        for environment in job.said.get("strategy", {}).get("matrix", {}).get("environment", [])
    }
    for environment in environments:
        assert (PROJECT / f"infra/terraform/environments/{environment}.tfvars").is_file()


def test_a_workflow_that_is_called_takes_what_it_is_given():
    for job in jobs():
        if called := job.said.get("uses", ""):
            wanted = read(FOLDER / called.rsplit("/", 1)[1])["on"]["workflow_call"]["inputs"]
            required = {name for name, what in wanted.items() if what.get("required")}
            assert required <= set(job.said["with"]) <= set(wanted), job.where
