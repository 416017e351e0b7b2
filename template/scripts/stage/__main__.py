"""Where this project is, the way to the next stage or version, and what drifted.

    flask stage show            where it is, what is next, what would change, what it costs
    flask stage climb STAGE     to another stage, at the same version of the template
    flask stage update          to the newest version of the template, at the same stage
    flask stage doctor          is every file and all wiring of this stage in place?
    flask stage undo            take back a climb that is not committed

Where the application doesn't start, the same: python3 -m scripts.stage show
"""

import argparse
import subprocess
import sys
from pathlib import Path

from scripts.commands import parser_of
from scripts.stage import carry, changes, doctor, note
from scripts.stage.changes import Changes
from scripts.stage.project import (
    PROJECT,
    Answers,
    NoClimb,
    Stage,
    all_stages,
    git,
    refuse_uncommitted_work,
    refuse_without_history,
    say,
    stage_after,
    stage_named,
    uncommitted,
)

CHECKS = (["uv", "sync"], ["uv", "run", "nox"])


def main(arguments: list[str]) -> None:
    wish = wishes(arguments)
    wish.do(wish)


def wishes(arguments: list[str]) -> argparse.Namespace:
    parser, command = parser_of("flask stage", __doc__)
    showing = command("show", "where this project is, and what the next stage would change", show)
    showing.add_argument("--quick", action="store_true", help="don't rehearse the climb")
    climbing = command("climb", "climb to another stage, at the same version", climb)
    climbing.add_argument("stage", help="the stage to climb to")
    updating = command("update", "update to the newest version, at the same stage", update)
    for moving in (climbing, updating):
        moving.add_argument("--look", action="store_true", help="show what would change, and stop")
        moving.add_argument("--yes", action="store_true", help="don't ask")
        moving.add_argument(
            "--check", action="store_true", help="run everything the project checks afterwards"
        )
    examining = command("doctor", "compare this project with a fresh render", examine)
    examining.add_argument("--bring-back", metavar="PATH", help="write what is missing there")
    undoing = command("undo", "take back a climb that isn't committed", undo)
    undoing.add_argument("--yes", action="store_true", help="don't ask")
    return parser.parse_args(arguments)


# --- show ----------------------------------------------------------------------------------------


def show(wish: argparse.Namespace) -> None:
    answers = Answers.of()
    here = next((stage for stage in all_stages() if stage.name == answers.stage), None)
    say(f"Stage     {answers.stage}{f': {here.summary}' if here else ''}")
    say(f"Template  {answers.version or '(no version)'} of {answers.template or '(unknown)'}")
    if answers.version and not answers.is_released:
        say("          That is no release, so an update goes to the template's newest commit.")
    after = stage_after(answers.stage)
    if after is None:
        say("Next      nothing: this is the last stage that this version of the template has.")
        return
    say(f"Next      {after.name}: {after.summary}")
    show_costs(after)
    if not wish.quick:
        show_rehearsal(after)
    say(f"\nTo go there: uv run flask stage climb {after.name}")


def show_costs(stage: Stage) -> None:
    if stage.costs:
        say("\nWhat it costs:")
    width = max(map(len, stage.costs), default=0)
    for what, how_much in stage.costs.items():
        say(f"  {what.ljust(width)}  {how_much}")


def show_rehearsal(stage: Stage) -> None:
    try:
        refuse_without_history()
        would_be = changes.rehearse(stage.name)
    except NoClimb as refusal:
        say(f"\nWhat would change can't be told. {refusal}")
        return
    say("\nWhat would change, rehearsed in a copy of what is committed:")
    show_changes(would_be)
    if uncommitted():
        say("\nBefore a climb, commit the rest of your work (`git status` lists it).")


def show_changes(found: Changes) -> None:
    for line in found.lines():
        say(f"  {line}")
    for warning in found.warnings():
        say(f"\n{warning}")


# --- climb and update ----------------------------------------------------------------------------


def climb(wish: argparse.Namespace) -> None:
    refuse_where_no_climb_begins()
    refuse_a_stage_that_is_no_way_up(wish.stage)
    move(wish, wish.stage)


def update(wish: argparse.Namespace) -> None:
    wish.stage = None
    refuse_where_no_climb_begins()
    move(wish, "the newest version")


def refuse_where_no_climb_begins() -> None:
    refuse_without_history()
    note.refuse_if_cut_off()
    refuse_uncommitted_work()


def refuse_a_stage_that_is_no_way_up(name: str) -> None:
    answers = Answers.of()
    if not all_stages():
        return  # Copier itself knows the stages, and says less.
    wanted, here = stage_named(name), stage_named(answers.reached)
    if wanted == here:
        raise NoClimb(
            f"This project is at {name} already. A newer version: flask stage update. "
            "Whether all of it is in place: flask stage doctor"
        )
    if wanted.order < here.order:
        raise NoClimb(
            f"This project has reached {here.name}, and a stage is never taken back: it would "
            "delete files that you have edited since. The way back is git's: revert the commit "
            "of the climb."
        )


def move(wish: argparse.Namespace, to: str) -> None:
    say(f"Rehearsing the way to {to} in a copy ...")
    with changes.rehearsal(wish.stage) as (copy, would_be):
        if not would_be:
            say("Nothing would change.")
            return
        show_changes(would_be)
        if wish.look:
            return
        if not (wish.yes or agreed("Do it? [y/N] ")):
            raise NoClimb("Nothing was changed.")
        refuse_what_was_done_meanwhile(copy)
        with note.kept(to):
            carry.over(copy, PROJECT, would_be)
    report(to, wish.stage)
    if wish.check:
        check_all()


def refuse_what_was_done_meanwhile(copy: Path) -> None:
    """While we rehearsed and asked, somebody may have worked on."""
    refuse_where_no_climb_begins()
    if git(copy, "rev-parse", "HEAD") != git(PROJECT, "rev-parse", "HEAD"):
        raise NoClimb("Something was committed meanwhile, so nothing was changed. Climb again.")


def report(to: str, stage: str | None) -> None:
    done = changes.since(PROJECT)
    say(f"\nThe files are at {to}. Nothing is committed yet.")
    for warning in done.warnings():
        say(f"\n{warning}")
    findings = doctor.examine()
    if not findings.are_well:
        say("\n".join(findings.lines()))
    say("\nWhat is left for you:\n")
    for number, step in enumerate(steps(done, stage), start=1):
        say(f"{number}. {step}")
    say("\nOr back to where you were: uv run flask stage undo")
    if done.conflicts or done.collisions:
        say("(While a conflict keeps that from starting: python3 -m scripts.stage undo)")


def steps(done: Changes, stage: str | None) -> list[str]:
    first = [f"Decide the conflict in {path}, then: git add {path}" for path in done.conflicts]
    first += [
        f"Rename yours or keep one of the two: {path}, then: git add {path}"
        for path in done.collisions
    ]
    usual = ["uv sync", "uv run flask db upgrade", "uv run nox", "git add --all && git commit"]
    read = [f"Read what the stage needs besides: docs/{stage}.md"] if has_page(stage) else []
    return [*first, *usual, *read]


def has_page(stage: str | None) -> bool:
    return stage is not None and (PROJECT / "docs" / f"{stage}.md").exists()


def check_all() -> None:
    """Run what the project checks; it's the project's own tools that speak."""
    for command in CHECKS:
        say(f"\n$ {' '.join(command)}")
        code = subprocess.run(command, cwd=PROJECT, check=False).returncode
        if code:
            raise NoClimb(f"{' '.join(command)} failed with {code}. The files are as it left them.")


def agreed(question: str) -> bool:
    return sys.stdin.isatty() and input(question).strip().lower() in ("y", "yes")


# --- doctor and undo -----------------------------------------------------------------------------


def examine(wish: argparse.Namespace) -> None:
    if wish.bring_back:
        say(doctor.bring_back(wish.bring_back))
        return
    findings = doctor.examine()
    say("\n".join(findings.lines()).lstrip("\n"))
    sys.exit(0 if findings.are_well else 1)


def undo(wish: argparse.Namespace) -> None:
    refuse_without_history()
    found = note.find()
    if found is None:
        raise NoClimb(
            "No climb is open here. One that is committed goes back with git: "
            "git revert COMMIT. `git log --stat` shows which commit it was."
        )
    if found.is_running:
        note.refuse_if_cut_off()
    say("This goes back to the last commit, edits made since the climb included:\n")
    say(git(PROJECT, "status", "--short", "--untracked-files=normal", "."))
    if not (wish.yes or agreed("\nUndo it? [y/N] ")):
        raise NoClimb("Nothing was undone.")
    note.take_back()
    say("\nEverything is as it was before the climb.")


if __name__ == "__main__":
    main(sys.argv[1:])
