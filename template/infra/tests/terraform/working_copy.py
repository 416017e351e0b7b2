"""Terraform in a copy of the modules, with a provider that needs no account."""

import json
import os
import shutil
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from tests.tools import INFRA, clean_environment, run, succeed, tool

MODULES = INFRA / "terraform"
SIZES = INFRA / "costs" / "sizes"
ENVIRONMENTS = ("dev", "staging", "prod")
# What moto can't make, so that a variable leaves it out there; see docs/terraform.md.
NOT_IN_MOTO = ["access_entries", "addons", "cache", "node_attachment"]
# How prod is applied, so that it can be destroyed, too; plans show it as it really is.
AS_APPLIED = {"leave_out": NOT_IN_MOTO, "deletion_protection": False}
PROJECT = {
    "name": "acme",
    "region": "us-east-1",
    "domain": "app.example.com",
    "zone": "example.com",
    "mail_from": "hello@example.com",
    "repository": "acme/app",
    "github_provider_arn": (
        "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
    ),
    "image_repository_arn": "arn:aws:ecr:us-east-1:123456789012:repository/acme",
}
# Terraform merges a file of this name into the others.
OVERRIDE = "emulator_override.tf"
# One version for all, so that a new one isn't found by a pipeline that nobody touched.
PROVIDER = """
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

provider "aws" {
  access_key                  = "testing"
  secret_key                  = "testing"
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
}
"""
LOCAL_STATE = """
terraform {
  backend "local" {}
}
"""
# What moto forgets or invents, and what would make everything that hangs on it change, too.
FORGOTTEN = """
resource "aws_eks_cluster" "this" {
  lifecycle {
    ignore_changes = [access_config]
  }
}

resource "aws_launch_template" "nodes" {
  lifecycle {
    ignore_changes = [tag_specifications]
  }
}

resource "aws_eks_node_group" "this" {
  lifecycle {
    ignore_changes = [scaling_config[0].desired_size, remote_access]
  }
}
"""
# Where people and systems keep providers for machines that don't reach the registry.
MIRRORS = (
    "~/.terraform.d/plugins",
    "~/.local/share/terraform/plugins",
    "/usr/local/share/terraform/plugins",
    "/usr/share/terraform/plugins",
    "/opt/*",
)


def mirror() -> Path | None:
    """A folder with the aws provider: TERRAFORM_MIRROR, or one of the usual places."""
    given = os.environ.get("TERRAFORM_MIRROR")
    places = [given] if given else [os.path.expanduser(place) for place in MIRRORS]
    for place in places:
        root, pattern = (Path(place).parent, Path(place).name) if "*" in place else (place, "")
        found = sorted(Path(root).glob(pattern)) if pattern else [Path(root)]
        for folder in found:
            if (folder / "registry.terraform.io" / "hashicorp" / "aws").is_dir():
                return folder
    return None


def configuration() -> str:
    """Terraform's own settings: providers come from the mirror, or else from the registry."""
    found = mirror()
    if found is None:
        return "disable_checkpoint = true\n"
    return f"""disable_checkpoint = true
provider_installation {{
  filesystem_mirror {{
    path    = "{found}"
    include = ["registry.terraform.io/*/*"]
  }}
}}
"""


class WorkingCopy:
    """A copy of infra/terraform, initialised; commands run in one of its root modules."""

    def __init__(self, folder: Path, root: str = ".", endpoint: str = "") -> None:
        self.program = tool("terraform")
        self.folder = folder / "terraform"
        self.root = self.folder / root
        shutil.copytree(MODULES, self.folder, ignore=shutil.ignore_patterns(".terraform*"))
        (self.root / OVERRIDE).write_text(PROVIDER + (LOCAL_STATE if root == "." else ""))
        (self.folder / "modules" / "cluster" / OVERRIDE).write_text(FORGOTTEN)
        settings = folder / "terraformrc"
        settings.write_text(configuration())
        self.environment = clean_environment(
            TF_CLI_CONFIG_FILE=str(settings),
            CHECKPOINT_DISABLE="1",
            TF_IN_AUTOMATION="1",
            TF_INPUT="0",
            **({"AWS_ENDPOINT_URL": endpoint} if endpoint else {}),
        )
        # For calls that stay on this machine, an authority of the outside means nothing.
        self.environment.pop("AWS_CA_BUNDLE", None)
        self.initialise()

    def initialise(self) -> None:
        done = self.try_to("init", "-backend=false" if self.root != self.folder else "-reconfigure")
        if done.returncode and "registry.terraform.io" in done.stderr and mirror() is None:
            pytest.skip("terraform: no provider mirror here, and the registry isn't reached")
        assert done.returncode == 0, done.stderr

    def try_to(self, command: str, *options: str):
        words = [self.program, command, *options, *([] if command == "show" else ["-no-color"])]
        return run(*words, cwd=self.root, env=self.environment)

    def do(self, command: str, *options: str) -> str:
        shown = [] if command == "show" else ["-no-color"]
        words = [self.program, command, *options, *shown]
        return succeed(*words, cwd=self.root, env=self.environment)

    def show(self, *what: str) -> dict[str, Any]:
        """A plan, or the state, as data."""
        return json.loads(self.do("show", "-json", *what))

    def plan(self, environment: str, size: str = "", **other: object) -> dict[str, Any]:
        """What would be done to make that environment, with some variables of it otherwise."""
        over = [f"-var-file={SIZES / size}.tfvars"] if size else []
        self.do("plan", *variables(environment, **other), *over, f"-out={environment}.plan")
        return self.show(f"{environment}.plan")

    @cached_property
    def state(self) -> dict[str, Any]:
        return self.show()


def variables(environment: str, **other: object) -> list[str]:
    """The options that make Terraform read an environment's file and a project's own values."""
    given = [f"-var={name}={written(value)}" for name, value in (PROJECT | other).items()]
    return [f"-var-file=environments/{environment}.tfvars", *given]


def written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def resources(module: dict[str, Any]) -> list[dict[str, Any]]:
    """All resources of a state's or a plan's values, those of inner modules included."""
    inner = [found for child in module.get("child_modules", []) for found in resources(child)]
    return [*module.get("resources", []), *inner]


def planned(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """What would be made. Of some nothing is known before they are: they have no values."""
    found = resources(plan["planned_values"]["root_module"])
    return [{"values": {}} | one for one in found if one["mode"] == "managed"]


def existing(state: dict[str, Any]) -> list[dict[str, Any]]:
    found = resources(state["values"]["root_module"])
    return [one for one in found if one["mode"] == "managed"]
