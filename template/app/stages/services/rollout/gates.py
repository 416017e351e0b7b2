"""Whether a release is good enough for the next wave, by what was measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from app.stages.services.rollout.waves import Gates

OTHERS = "other"  # Where a process counts those together that it has no series of their own for.
SHARE = 0.95
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Counts:
    """What a tenant's requests came to."""

    requests: float = 0
    errors: float = 0

    @property
    def failed(self) -> float:
        """The share of them that failed."""
        return self.errors / self.requests if self.requests else 0.0


# How many requests took at most so many seconds, by the upper bound.
Buckets = Mapping[float, float]


@dataclass(frozen=True, slots=True)
class Seen:
    """What was measured since a wave began: of the new release, and how fast the other one is."""

    tenants: Mapping[str, Counts]
    seconds: Buckets = field(default_factory=dict)
    seconds_before: Buckets = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Good, bad, or too early to say; and why."""

    kind: Literal["good", "bad", "wait"]
    why: str
    requests: float = 0
    saw: int = 0  # Tenants that met an error.


def judge(gates: Gates, seen: Seen, wave: set[str]) -> Verdict:
    """A verdict on a release, while a wave of tenants has it.

    Tenants of earlier waves are looked at, too; the wave's own must have used it enough.
    """
    of_wave = [counts for slug, counts in seen.tenants.items() if slug in wave or slug == OTHERS]
    requests = sum(counts.requests for counts in of_wave)
    saw = sum(counts.errors > 0 for counts in seen.tenants.values())
    if why := too_many_errors(gates, seen.tenants) or too_slow(gates, seen):
        return Verdict("bad", why, requests, saw)
    if requests < gates.requests:
        return Verdict(
            "wait", f"{requests:,.0f} of {gates.requests:,} requests so far", requests, saw
        )
    return Verdict("good", f"{requests:,.0f} requests, all gates hold", requests, saw)


def too_many_errors(gates: Gates, tenants: Mapping[str, Counts]) -> str:
    """Tenants whose error budget is used up; or all together, where each had just a few."""
    over = {slug: counts for slug, counts in tenants.items() if is_over(gates, counts)}
    if over:
        worst = sorted(over.items(), key=lambda item: -item[1].failed)[:SHOWN]
        shown = ", ".join(f"{slug} {described(counts)}" for slug, counts in worst)
        more = f" and {len(over) - SHOWN} more" if len(over) > SHOWN else ""
        return f"error budget of {gates.error_budget:.1%} used up: {shown}{more}"
    together = Counts(
        sum(counts.requests for counts in tenants.values()),
        sum(counts.errors for counts in tenants.values()),
    )
    if is_over(gates, together):
        return f"error budget of {gates.error_budget:.1%} used up by all together: " + described(
            together
        )
    return ""


def is_over(gates: Gates, counts: Counts) -> bool:
    return counts.errors >= gates.errors and counts.failed > gates.error_budget


def described(counts: Counts) -> str:
    return f"{counts.errors:,.0f} of {counts.requests:,.0f} failed"


def too_slow(gates: Gates, seen: Seen) -> str:
    """Nothing, where there are too few requests to say."""
    new = quantile(seen.seconds, SHARE)
    if new is None or most(seen.seconds) < gates.requests:
        return ""
    if new > gates.slowest:
        return f"95 of 100 requests take up to {new:.2f} s; {gates.slowest:.2f} s is the limit"
    before = quantile(seen.seconds_before, SHARE)
    if before is None or most(seen.seconds_before) < gates.requests:
        return ""
    # Buckets are coarse, and nobody notices 20 ms instead of 10.
    if new > max(gates.slower * before, 0.1):
        return (
            f"95 of 100 requests take up to {new:.2f} s, in the release before {before:.2f} s; "
            f"{gates.slower:g} times that is the limit"
        )
    return ""


def most(buckets: Buckets) -> float:
    return max(buckets.values(), default=0)


def quantile(buckets: Buckets, share: float) -> float | None:
    """What that share of the requests stayed below, as Prometheus' histogram_quantile says it."""
    total = most(buckets)
    if not total:
        return None
    lower, before = 0.0, 0.0
    for bound, count in sorted(buckets.items()):
        if count >= share * total:
            if bound == float("inf"):
                return lower
            inside = count - before
            return lower + (bound - lower) * ((share * total - before) / inside if inside else 1)
        lower, before = bound, count
    return lower
