"""What the pipelines call. Each writes JSON or text to standard output, and nothing else.

python3 -m scripts.delivery changed --since origin/main     which checks a change needs
python3 -m scripts.delivery check billing                   a service's own checks
python3 -m scripts.delivery name                            what this commit is called
python3 -m scripts.delivery bill                            the bill of materials (SBOM)
python3 -m scripts.delivery deploy add NAME IMAGE ...       a release beside the others
python3 -m scripts.delivery bring NAME ...                  a release to the tenants
python3 -m scripts.delivery rollout status                  how that stands, in the cluster
python3 -m scripts.delivery plan plan.json                  what a Terraform plan would do
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from scripts.commands import parser_of
from scripts.delivery import Refused, bill, bring, changed, deploy, plan, release, rollout, values


def main(arguments: list[str]) -> None:
    wish = wishes(arguments)
    wish.do(wish)


def wishes(arguments: list[str]) -> argparse.Namespace:
    parser, command = parser_of("python3 -m scripts.delivery", __doc__)
    changing = command("changed", "which checks the changes since a commit need", show_changed)
    changing.add_argument("--since", metavar="COMMIT", help="default: everything is checked")
    checking = command("check", "a service's own tests, on PostgreSQL", check)
    checking.add_argument("service", choices=changed.SERVICES)
    command("name", "what a release of this commit is called", show_name)
    billing = command("bill", "the bill of materials of what the image installs", show_bill)
    billing.add_argument("--release", help="its version in the bill; default: the commit's name")
    deploying = command("deploy", "which releases stand side by side in a cluster", deploy_it)
    deploying.add_argument("how", choices=["add", "finish", "drop"])
    deploying.add_argument("release")
    deploying.add_argument("image", nargs="?", help="with add: registry/name@sha256:...")
    deploying.add_argument("--environment", required=True, help="of infra/helm/values-*.yaml")
    deploying.add_argument("--namespace", default="app")
    deploying.add_argument("--look", action="store_true", help="only show the values")
    bringing = command("bring", "a release that is deployed, to the tenants", bring_it)
    bringing.add_argument("release")
    bringing.add_argument("--how", required=True, choices=bring.HOW)
    bringing.add_argument("--environment", required=True, help="of infra/helm/values-*.yaml")
    bringing.add_argument("--namespace", default="app")
    bringing.add_argument("--why", default="", help="for the record")
    rolling = command("rollout", "`flask rollout ...` in the cluster, beside one that runs", aside)
    rolling.add_argument("--namespace", default="app")
    rolling.add_argument("words", nargs=argparse.REMAINDER, help="status, pause, abort, ...")
    planning = command("plan", "what a Terraform plan would do, in Markdown", show_plan)
    planning.add_argument("file", type=Path, help="what `terraform show -json` said")
    planning.add_argument("--fingerprint", action="store_true", help="only that")
    planning.add_argument("--approved", metavar="FINGERPRINT", help="refuse any other plan")
    planning.add_argument(
        "--may-lose", default="", metavar="ADDRESSES", help="whose data may go, with blanks between"
    )
    return parser.parse_args(arguments)


def say(text: str) -> None:
    print(text, flush=True)


def show_changed(wish: argparse.Namespace) -> None:
    paths = changed.paths_since(wish.since) if wish.since else None
    needed = changed.Needed() if paths is None else changed.needed_for(paths)
    if paths is None:
        needed.everything()
    say(json.dumps(needed.matrix()))


def check(wish: argparse.Namespace) -> None:
    tests = changed.tests_of(wish.service)
    quick = ("-n", "auto", "-m", "not journey and not processes")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *quick, *tests],
        cwd=changed.PROJECT,
        env=os.environ | {"TEST_DATABASE": "postgres"},
        check=False,
    )
    sys.exit(done.returncode)


def show_name(_wish: argparse.Namespace) -> None:
    say(release.name_of_commit())


def show_bill(wish: argparse.Namespace) -> None:
    name = release.checked(wish.release) if wish.release else release.name_of_commit()
    say(json.dumps(bill.bill_of(name), indent=2))


def deploy_it(wish: argparse.Namespace) -> None:
    deploy.values_of(wish.environment)
    here = deploy.current(wish.namespace)
    if wish.how == "add":
        if not wish.image:
            raise Refused("Which image? deploy add NAME registry/name@sha256:...")
        wanted = values.add(here, wish.release, wish.image)
    else:
        step = values.finish if wish.how == "finish" else values.drop
        wanted = step(here, wish.release)
    say(json.dumps(wanted, indent=2))
    if wish.how == "add":
        deploy.refuse_what_the_one_before_cannot_live_with(here)
    if not wish.look:
        deploy.upgrade(wanted, wish.environment, wish.namespace)


def bring_it(wish: argparse.Namespace) -> None:
    deploy.values_of(wish.environment)
    bring.bring(wish.release, wish.how, wish.environment, wish.namespace, wish.why, say)


def aside(wish: argparse.Namespace) -> None:
    if not wish.words:
        raise Refused("Which? rollout status, rollout pause --why ..., ...: see docs/rollout.md.")
    sys.exit(rollout.run(["flask", "rollout", *wish.words], wish.namespace, say, aside=True))


def show_plan(wish: argparse.Namespace) -> None:
    changes = plan.changes_in(read(wish.file))
    losses = plan.unexpected_losses(changes, wish.may_lose.split())
    say(plan.fingerprint(changes) if wish.fingerprint else plan.summary(changes))
    if losses:
        raise Refused(
            f"This would lose what is in {', '.join(losses)}. "
            "If it may: --may-lose ADDRESSES, and a backup first."
        )
    if wish.approved not in (None, plan.fingerprint(changes)):
        raise Refused("This isn't the plan that was approved. Look at it, and approve it again.")


def read(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8") or "null")
    except OSError as error:
        raise Refused(f"{file} can't be read: {error.strerror}.") from None
    except ValueError:
        raise Refused(f"{file} holds no JSON.") from None


if __name__ == "__main__":
    main(sys.argv[1:])
