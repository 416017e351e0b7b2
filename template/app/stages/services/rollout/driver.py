"""What happens next in a rollout, and when: waves forward while all gates hold, back when not.

It keeps nothing that matters: killed at any moment, the next one goes on from what `Store` knows.
"""

import os
import shlex
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from app.stages.services.rollout.errors import Refused, SourceAway
from app.stages.services.rollout.gates import Seen, Verdict, judge
from app.stages.services.rollout.sources import Source
from app.stages.services.rollout.store import Rollout, Store
from app.stages.services.rollout.waves import shown

FOLLOW_SECONDS = 30
PROBES = 3
AWAY_SECONDS = 600
SAY_SECONDS = 30


class End(Enum):
    """How it ended for the command."""

    DONE = 0
    STOPPED = 1
    PAUSED = 3
    AWAY = 4


@dataclass
class Driver:
    """What drives one rollout."""

    store: Store
    source: Source
    who: str
    # What is wrong with the release's own services: nothing, while they answer.
    probe: Callable[[str], str]
    journey: Callable[[Rollout], str]
    say: Callable[[str], None]
    tick: float = 5
    sleep: Callable[[float], None] = time.sleep
    blind_since: float | None = None
    away_since: float | None = None
    said: str = ""
    said_at: float = 0
    saw: set[str] = field(default_factory=set)

    def run(self) -> End:
        """Until it's done, has come back, or rests."""
        while True:
            rollout = self.store.underway()
            self.away_since = None
            if rollout is None:
                return self.ended_elsewhere()
            if rollout.state == "paused":
                self.say(
                    f"Paused: {rollout.why}\nGo on: flask rollout resume. Or: flask rollout abort"
                )
                return End.PAUSED
            end = self.step(rollout)
            if end is not None:
                return end

    def ended_elsewhere(self) -> End:
        latest = self.store.latest()
        if latest is not None and latest.state == "done":
            return End.DONE
        self.say(f"It was ended meanwhile: {latest.why if latest else ''}")
        return End.STOPPED

    def step(self, rollout: Rollout) -> End | None:
        """One thing, from what is known now."""
        if rollout.wave < 0:
            self.look_before(rollout)
            return self.enter(rollout)
        if lagging := self.lagging():
            return self.pause(rollout, lagging)
        if trouble := self.trouble_at_release(rollout):
            return self.stop(rollout, trouble)
        if rollout.waves.gates.journey and rollout.journey_wave < rollout.wave:
            return self.try_journey(rollout)
        try:
            verdict = self.verdict(rollout)
        except SourceAway as error:
            return self.blind(rollout, str(error))
        self.blind_since = None
        return self.act(rollout, verdict)

    def act(self, rollout: Rollout, verdict: Verdict) -> End | None:
        """Forward, back, or wait."""
        if verdict.kind == "bad":
            return self.stop(rollout, verdict.why)
        now = self.store.now()
        since, watched = now - rollout.wave_at, now - rollout.watched_at
        if verdict.kind == "good" and since.total_seconds() >= self.soak(rollout):
            self.say(f"  {rollout.wave_name} is good: {verdict.why}")
            return self.enter(rollout)
        if verdict.kind == "wait" and watched.total_seconds() >= rollout.waves.gates.patience:
            patience = shown(rollout.waves.gates.patience)
            why = f"too little traffic to judge the wave {rollout.wave_name} within {patience}"
            return self.pause(rollout, f"{why}: {verdict.why}")
        kind = f"{rollout.wave} {verdict.kind}"
        self.say_now_and_then(kind, f"  {rollout.wave_name}: {verdict.why}")
        self.sleep(self.tick)
        return None

    def enter(self, rollout: Rollout) -> End | None:
        """The next wave; after the last one everybody has it."""
        if rollout.wave + 1 == len(rollout.waves.wave):
            self.store.finish(rollout, self.who)
            self.say(f"Done: everybody has {rollout.release}.")
            if lagging := self.lagging():
                self.say(f"But {lagging}")
            return End.DONE
        self.look_before(rollout)
        self.store.enter_next_wave(rollout, self.who)
        size = self.store.sizes(rollout)[rollout.wave + 1]
        name = rollout.waves.wave[rollout.wave + 1].name
        self.say(f"Wave {rollout.wave + 2} of {len(rollout.waves.wave)}, {name}: {size:,} tenants")
        return None

    def look_before(self, rollout: Rollout) -> None:
        """A source that reads the counters itself needs to know where they were."""
        for release in (rollout.release, rollout.previous):
            try:
                self.source.tenants(release, self.store.now())
            except SourceAway:
                return  # It will be noticed when it matters.

    def soak(self, rollout: Rollout) -> float:
        own = rollout.waves.wave[rollout.wave].soak
        if self.store.sizes(rollout)[rollout.wave] == 0:
            return 0
        return rollout.waves.gates.soak if own is None else own

    def verdict(self, rollout: Rollout) -> Verdict:
        wave = self.store.slugs(rollout, rollout.wave)
        if not wave and not self.store.sizes(rollout)[rollout.wave]:
            return Verdict("good", "nobody is in it")
        release, since = rollout.release, rollout.wave_at
        seen = Seen(
            self.source.tenants(release, since),
            self.source.seconds(release, since),
            self.source.seconds(rollout.previous, since),
        )
        self.saw |= {slug for slug, counts in seen.tenants.items() if counts.errors}
        return judge(rollout.waves.gates, seen, wave)

    # --- What can be in the way ------------------------------------------------------------------

    def lagging(self) -> str:
        return lagging(self.store, self.sleep, self.tick)

    def trouble_at_release(self, rollout: Rollout) -> str:
        """A release whose services don't answer is bad, whatever was measured before."""
        for attempt in range(PROBES):
            trouble = self.probe(rollout.release)
            if not trouble:
                return ""
            if attempt + 1 < PROBES:
                self.sleep(self.tick)
        return trouble

    def try_journey(self, rollout: Rollout) -> End | None:
        """The team's own command, once in each wave."""
        try:
            trouble = self.journey(rollout)
        except Refused as error:
            return self.pause(rollout, str(error))
        if trouble:
            return self.stop(rollout, trouble)
        done = f"the journey passed in {rollout.wave_name}"
        self.store.passed_journey(rollout, self.who, done)
        self.say(f"  {done}")
        return None

    def blind(self, rollout: Rollout, why: str) -> End | None:
        """Wait for the figures, a little; nothing goes forward without them."""
        now = time.monotonic()
        self.blind_since = now if self.blind_since is None else self.blind_since
        if now - self.blind_since >= rollout.waves.gates.blind:
            return self.pause(rollout, f"nobody can tell how {rollout.release} does: {why}")
        self.say_now_and_then("blind", f"  Waiting for figures: {why}")
        self.sleep(self.tick)
        return None

    def is_away_for_long(self, why: str) -> bool:
        """Note that the database is away; nobody's release changes meanwhile."""
        now = time.monotonic()
        self.away_since = now if self.away_since is None else self.away_since
        self.say_now_and_then("away", f"  The database is away: {why}")
        return now - self.away_since > AWAY_SECONDS

    def pause(self, rollout: Rollout, why: str) -> End | None:
        self.store.pause(rollout, self.who, why)
        return None  # What comes next finds it paused, and says so.

    def stop(self, rollout: Rollout, why: str) -> End:
        """Back to the release before, and look that the gateways have done it."""
        begun = time.monotonic()
        self.store.stop(rollout, self.who, why)
        self.say(f"Stopped in the wave {rollout.wave_name}: {why}")
        lagging = self.lagging()
        took = f"{time.monotonic() - begun:.1f} s"
        done = lagging or f"all gateways have the pins of before, {took} after the verdict"
        self.store.add_step(rollout, self.who, done)
        self.say(f"Everybody has {rollout.previous} again; {done}.")
        return End.STOPPED

    def say_now_and_then(self, kind: str, what: str) -> None:
        """What is new at once; how it goes on, each half minute."""
        now = time.monotonic()
        if kind != self.said or now - self.said_at > SAY_SECONDS:
            self.say(what)
            self.said, self.said_at = kind, now


def lagging(store: Store, sleep: Callable[[float], None] = time.sleep, tick: float = 0.2) -> str:
    """The gateways that don't take over the pins, or nothing once all have."""
    version = store.version()
    deadline = time.monotonic() + FOLLOW_SECONDS
    while True:
        followers = store.followers()
        late = [one for one in followers if one.version < version]
        if followers and not late:
            return ""
        if time.monotonic() > deadline:
            break
        sleep(min(tick, 0.2))
    if not followers:
        return "no gateway follows: is `flask rollout follow` running beside it?"
    names = ", ".join(f"{one.name} ({one.problem or 'it says nothing'})" for one in late)
    return f"gateways don't take over the pins: {names}"


def run_journey(rollout: Rollout) -> str:
    """Run the team's command; nothing, if it succeeds."""
    gates = rollout.waves.gates
    env = {**os.environ, "ROLLOUT_RELEASE": rollout.release, "ROLLOUT_WAVE": rollout.wave_name}
    try:
        done = subprocess.run(  # noqa: S603  # It's the team's own.
            shlex.split(gates.journey),
            env=env,
            capture_output=True,
            text=True,
            timeout=gates.journey_patience,
            check=False,
        )
    except OSError as error:
        raise Refused(f"The journey can't be run: {gates.journey}: {error}") from None
    except subprocess.TimeoutExpired:
        return f"the journey took longer than {shown(gates.journey_patience)}"
    last = (done.stdout + done.stderr).strip().splitlines()[-1:]
    return f"the journey failed: {''.join(last)}" if done.returncode else ""
