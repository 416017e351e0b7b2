"""The form of the workflows, in the eyes of the tools that know GitHub and in ours."""

import re
import shutil

import pytest

from tests.tools import PROJECT, pinned, succeed
from tests.workflows.workflows import FILES, FOLDER, Job, jobs, read

PINNED = re.compile(r"^ *(?:- )?uses: (\$/\S+|[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$")
JOBS = [pytest.param(job, id=job.where) for job in jobs()]
MAY_WRITE = {"id-token"}


def test_actionlint_finds_nothing(tmp_path):
    """In a repository of its own: it looks for workflows that are called from git's root."""
    shutil.copytree(PROJECT / ".github", tmp_path / ".github")
    succeed("git", "init", "--quiet", cwd=tmp_path)

    succeed(*pinned("actionlint", "shellcheck"), cwd=tmp_path)


def test_zizmor_finds_nothing():
    succeed(*pinned("zizmor"), "--offline", "--quiet", ".github")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_action_is_pinned_by_its_digest_and_says_its_version(file):
    uses = [line for line in file.read_text("utf-8").splitlines() if "uses:" in line]

    assert [line for line in uses if not PINNED.match(line)] == []


def test_one_action_has_one_digest_everywhere():
    said = "\n".join(file.read_text("utf-8") for file in FILES)
    pins = set(re.findall(r"uses: ([\w./-]+)@(\S+ # \S+)", said))

    assert len(pins) == len({action for action, _digest in pins})


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_workflow_may_nothing_unless_a_job_says_so(file):
    assert read(file)["permissions"] == {}


@pytest.mark.parametrize("job", JOBS)
def test_a_job_may_little_and_ends(job: Job):
    writes = {name for name, what in job.said["permissions"].items() if what == "write"}

    assert writes <= MAY_WRITE, "it writes to the repository or its packages"
    if "uses" not in job.said:
        assert job.said["timeout-minutes"] <= 350


@pytest.mark.parametrize("job", JOBS)
def test_a_checkout_leaves_no_token_behind(job: Job):
    for step in job.steps:
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("job", JOBS)
def test_what_is_under_way_in_an_environment_is_not_cut_off(job: Job):
    if "environment" in job.said and "image" not in job.said.get("outputs", {}):
        assert job.said["concurrency"]["cancel-in-progress"] is False


@pytest.mark.parametrize("job", JOBS)
def test_no_job_has_a_key_of_the_cloud(job: Job):
    """GitHub vouches for the job, so nothing is kept that could be stolen."""
    assert "secrets." not in str(job.said)


@pytest.mark.parametrize("job", [job for job in JOBS if job.id != "ci.yml: image"])
def test_what_fails_on_the_way_fails_the_step(job: Job):
    """A plan that is refused must not be applied because `tee` was content."""
    scripts = [step["run"] for step in job.steps if "run" in step]
    shell = read(FOLDER / job.workflow).get("defaults", {}).get("run", {}).get("shell")

    assert [script for script in scripts if " | " in script and shell != "bash"] == []
    assert [script for script in scripts if re.search(r"echo [^\n]*\$\(", script)] == []


def test_the_tools_are_those_that_are_tested():
    """uv as in the Dockerfile, Terraform as one of those that the modules allow."""
    said = "\n".join(file.read_text("utf-8") for file in FILES)

    (uv,) = set(re.findall(r"uv==(\S+)", said))
    assert f"uv=={uv}" in (PROJECT / "Dockerfile").read_text("utf-8")
    assert len(set(re.findall(r"terraform_version: (\S+)", said))) <= 1
    assert len(set(re.findall(r"python-version: (\S+)", said))) == 1


def test_each_variable_is_explained_where_it_is_set():
    """Whoever sets up the environments on GitHub reads docs/deploy.md."""
    said = "\n".join(file.read_text("utf-8") for file in FILES)
    page = (PROJECT / "docs" / "deploy.md").read_text("utf-8")

    assert [
        name for name in set(re.findall(r"\bvars\.(\w+)", said)) if f"`{name}`" not in page
    ] == []


def test_each_workflow_is_explained():
    """Those of a later stage on that stage's page."""
    pages = [PROJECT / "docs" / "deploy.md", *(PROJECT / "docs").glob("*/deploying.md")]
    page = "\n".join(file.read_text("utf-8") for file in pages)

    assert {file.name for file in FILES} <= set(
        re.findall(r"^\| `([\w-]+\.yml)`", page, re.MULTILINE)
    )


def test_an_environment_has_its_values():
    """What a workflow can deploy to is what the chart knows."""
    named = {
        environment
        for file in FILES
        for environment in options_of(read(file)["on"]) | given_in(read(file)["jobs"])
    }

    assert named == {"staging", "prod"}
    for environment in named:
        assert (PROJECT / f"infra/helm/values-{environment}.yaml").is_file()
        assert (PROJECT / f"infra/terraform/environments/{environment}.tfvars").is_file()


def options_of(triggers: dict) -> set[str]:
    inputs = (triggers.get("workflow_dispatch") or {}).get("inputs", {})
    return set(inputs.get("environment", {}).get("options", []))


def given_in(jobs: dict) -> set[str]:
    given = {job.get("with", {}).get("environment") for job in jobs.values()}
    return given - {None}
