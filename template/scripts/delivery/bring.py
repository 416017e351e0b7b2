"""A release that stands beside the others, to the tenants; and what stands there afterwards.

`flask rollout` decides who gets it when, and whether it's good. Its state is in the database, so
each of these may be cut off and run again.
"""

import os
from collections.abc import Callable

from scripts.delivery import Refused, deploy, rollout, values

FLASK = ["flask", "rollout"]
AT_ONCE = "app/stages/services/rollout/at-once.toml"
DONE, STOPPED, PAUSED = 0, 1, 3
HOW = ("start", "at-once", "resume", "rollback")
Say = Callable[[str], None]


def bring(release: str, how: str, environment: str, namespace: str, why: str, say: Say) -> None:
    """Let that release be everybody's, by one of HOW; then its workers run, too.

    With `rollback` it's the release before: the one that everybody has again.
    """
    here = deploy.current(namespace)
    values.refuse_unknown(values.releases_of(here), release)
    adopted = rollout.run([*FLASK, "status"], namespace, say, aside=True) == DONE
    words = [*(words_for(release, how) if adopted else ["adopt", release]), *record(why)]
    heard: list[str] = []
    aside = how == "rollback"
    end = rollout.run([*FLASK, *words], namespace, both(say, heard.append), aside=aside)
    refuse_unless_done(end, release)
    if aside and f"Everybody has {release} again." not in heard:
        raise Refused(f"They are back, but not on {release}: see above, and give that name.")
    deploy.upgrade(values.finish(deploy.current(namespace), release), environment, namespace)
    say(f"Everybody has {release}, and its workers run.")


def both(one: Say, other: Say) -> Say:
    def say(line: str) -> None:
        one(line)
        other(line)

    return say


def words_for(release: str, how: str) -> list[str]:
    match how:
        case "start":
            return ["start", release]
        case "at-once":
            return ["start", release, "--waves", AT_ONCE]
        case "resume" | "rollback":
            return [how]
    raise Refused(f"{how}: must be one of {', '.join(HOW)}.")


def record(why: str) -> list[str]:
    """Who it was and why, for the steps that `flask rollout status` shows."""
    who = os.environ.get("GITHUB_ACTOR", "")
    return ["--why", why or "a deployment", *(["--who", who] if who else [])]


def refuse_unless_done(end: int, release: str) -> None:
    if end == PAUSED:
        raise Refused(
            f"The rollout of {release} is paused, and everybody stays where they are. Mend what it "
            "says, then resume it; or abort it."
        )
    if end not in {DONE, STOPPED}:
        raise Refused(f"It ended with {end}. How it stands says rollout status; run this again.")
    if end == STOPPED:
        raise Refused(
            f"{release} isn't everybody's: see above. It is rolled back, or never began, and "
            "stands there without tenants. When you have looked: deploy drop."
        )
