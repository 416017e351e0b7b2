"""The page on services says what the doors say."""

from pathlib import Path

from app.doors import DOORS
from app.stages.services import breaker, deadline, pools, proof, published

PAGE = (Path(__file__).parents[3] / "docs" / "services.md").read_text("utf-8")


def test_the_page_lists_what_happens_while_a_door_is_not_answered():
    lines = [line for line in PAGE.splitlines() if line.startswith("| `")]
    doors = [f"| `{name}` | {DOORS[name].otherwise} |" for name in sorted(DOORS)]

    assert [line for line in lines if line.split("`")[1] in DOORS] == doors


def test_the_page_says_how_long_things_take():
    for sentence in (
        f"ends after {proof.SECONDS} seconds",
        f"has {deadline.PATIENCE:.0f} seconds in all",
        f"connects within {pools.CONNECT_SECONDS:.0f} second, waits {pools.READ_SECONDS:.0f}",
        f"After {breaker.FAILURES} failures in a row",
        f"left alone for {breaker.REST:.0f} seconds",
        f"at most every {published.NOT_AGAIN_WITHIN} seconds",
        f"within {published.FRESH // 60} minutes",
    ):
        assert sentence in PAGE
