"""A schedule: a run, started as Airflow starts it, and the faults that a seed decides."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from random import Random
from threading import Event, RLock
from typing import Literal

import redis

from faults.kinds import AWAY, KINDS, Ground, Kind, plans_again
from faults.outcome import Bits, WrongAnswer, check_but_for
from faults.processes import Ended
from meanface import errors
from polling import until

RETRIES = 2
FOREVER = 99
AT_ONCE = 2
"""embed processes that run together"""

_IN_THE_WAY = (redis.RedisError, OSError)
"""another fault is"""

End = Literal["ended quietly", "retried by itself", "refused by name"]


@dataclass
class Strike:
    """One fault of a schedule: when it comes, and how many failed processes it outlasts."""

    kind: Kind
    stage: str
    step: int
    lasts: int
    script: dict[str, object]
    struck: bool = False
    healed: bool = False
    failures: int = 0


def kinds_of(seed: int, possible: Callable[[Kind], bool]) -> list[Kind]:
    """Faults of one schedule: each kind is the first in its turn, and others may come with it."""
    random = Random(seed)
    first = KINDS[seed % len(KINDS)]
    places = ("",) if first.needs == "s3" else ("", "folder", "mount")
    more = [kind for kind in KINDS if kind is not first and kind.needs in places and possible(kind)]
    return [first, *random.sample(more, random.choice([0, 0, 1, 2]))]


class Schedule:
    """One run under its faults.

    Parameters
    ----------
    ground
        where, and a random number generator that the seed began
    kinds
        of the faults
    steps
        stage -> its I/O steps in the quiet run
    quiet
        what must come out
    """

    def __init__(self, ground: Ground, kinds: list[Kind], steps: dict[str, int], quiet: Bits) -> None:
        self._ground, self._place, self._quiet = ground, ground.place, quiet
        self._strikes = [self._drawn(kind, steps) for kind in kinds]
        self._lock = RLock()
        self._failures = 0
        self._late: list[Future[None]] = []
        self._over = Event()

    def __str__(self) -> str:
        return "; ".join(f"{each.kind.name} at step {each.step} of {each.stage}" for each in self._strikes)

    def run(self) -> End:
        """All stages; then, where one was refused, all stages once more, plainly.

        Raises
        ------
        WrongAnswer
            for other bits than the quiet run's, an error that does not name the cause, or a re-run that fails
        """
        with ThreadPoolExecutor(AT_ONCE + len(self._strikes)) as threads:
            try:
                ended = self._task("plan") and self._embedded(threads) and self._reduced(threads)
            finally:
                self._heal_all()
                self._over.set()
        for late in self._late:
            late.result()
        flaps = any(strike.kind.flaps for strike in self._strikes)
        if ended and not flaps and self._place.mean() != self._quiet.mean:
            raise WrongAnswer("the mean differs from the quiet run's")
        if flaps:
            self._check_flapped()
        else:
            damaged = any(strike.kind.needs == "folder" for strike in self._strikes)  # perhaps behind the last stage
            bits = self._place.bits() if ended and not damaged else self._place.plain()
            bits.check(self._quiet)
        if not ended:
            return "refused by name"
        return "retried by itself" if self._failures else "ended quietly"

    def _check_flapped(self) -> None:
        """See that a photo which could not be read for a while is all that differs, and that another run reads it.

        Where its outcome is committed and its chunk lost, the run cannot be finished any more, and says so.
        """
        try:
            check_but_for(self._place.plain(), self._quiet, self._ground.photo.name)
        except WrongAnswer as wrong:
            if not re.search(r"Conflict: partition \d+ of run run is committed with digest", str(wrong)):
                raise
        replace(self._place, run="another").plain().check(self._quiet)

    def _drawn(self, kind: Kind, steps: dict[str, int]) -> Strike:
        random = self._ground.random
        stage = random.choice([name for name in steps if name.startswith(kind.stages)])
        step = random.randint(1, steps[stage])
        lasts = 0 if kind.passes else random.choice([0, 1, FOREVER])
        return Strike(kind, stage, step, lasts, kind.script(random, steps[stage]) if kind.script else {})

    def _embedded(self, threads: ThreadPoolExecutor) -> bool:
        self._stand_still(threads, "embed")
        return self._embed_all(threads)

    def _reduced(self, threads: ThreadPoolExecutor) -> bool:
        if any(strike.kind.overtaken for strike in self._stand_still(threads, "reduce")):
            with self._lock, suppress(*_IN_THE_WAY):
                plans_again(self._ground)
            if not (self._task("plan") and self._embed_all(threads)):
                return False
        return self._task("reduce")

    def _embed_all(self, threads: ThreadPoolExecutor) -> bool:
        names = [name for name in self._place.stages if name.startswith("embed")]
        return all(list(threads.map(self._task, names)))

    def _stand_still(self, threads: ThreadPoolExecutor, stage: str) -> list[Strike]:
        """Start the attempts at a stage that come late; they stand still when this returns."""
        late = [strike for strike in self._strikes if strike.kind.rival == "late" and strike.stage.startswith(stage)]
        for strike in late:
            standing = Event()
            self._late.append(threads.submit(self._comes_late, strike, standing))
            standing.wait()
        return late

    def _comes_late(self, strike: Strike, standing: Event) -> None:
        """An attempt that stands still at its step until the run is over."""

        def stopped(step: int, what: str) -> bool:
            standing.set()
            return self._over.wait()

        strike.struck = True
        try:
            self._check_end(strike.stage, self._place.stage(strike.stage, stopped, attempt=8, stops=[strike.step]))
        finally:
            standing.set()

    def _task(self, stage: str) -> bool:
        """Try a stage as Airflow does: again after a signal and exit code 4, not after others."""
        for attempt in range(1 + RETRIES):
            ended = self._attempt(stage, attempt)
            if not ended.code:
                return True
            self._judge(stage, ended)
            with self._lock:
                self._failures += 1
            self._heal(lambda strike: strike.failures > strike.lasts)
            if ended.code in (2, 3):
                return False
        return False

    def _attempt(self, stage: str, attempt: int) -> Ended:
        here = [strike for strike in self._strikes if strike.stage == stage and strike.kind.rival != "late"]
        mine = [] if attempt else here
        script = {key: value for strike in mine for key, value in strike.script.items()}
        script["stops"] = [strike.step for strike in mine if not strike.script]

        def stopped(step: int, _: str) -> bool:
            due = [strike for strike in mine if not strike.script and not strike.struck and strike.step <= step]
            return sum(map(self._struck, due)) == len(due)

        ended = self._place.stage(stage, stopped, attempt=attempt, **script)
        for strike in mine:
            strike.struck = strike.struck or self._struck(strike)
        return ended

    def _struck(self, strike: Strike) -> bool:
        if strike.kind.rival:
            strike.struck = True
            self._check_end(strike.stage, self._place.stage(strike.stage, attempt=7))
        else:
            with self._lock, suppress(*_IN_THE_WAY):  # then it is tried at the next step
                strike.struck = strike.kind.strike is None or strike.kind.strike(self._ground)
        return strike.struck

    def _heal(self, due: Callable[[Strike], bool]) -> None:
        with self._lock:
            for strike in self._strikes:
                strike.failures += strike.struck
                if strike.struck and not strike.healed and due(strike):
                    with suppress(*_IN_THE_WAY):  # then it is healed the next time
                        strike.kind.heal(self._ground)
                        strike.healed = True

    def _heal_all(self) -> None:
        until(lambda: self._heal(lambda _: True) or all(strike.healed for strike in self._strikes if strike.struck))

    def _judge(self, stage: str, ended: Ended) -> None:
        """Check that a failed process names the cause."""
        with self._lock:  # behind a strike that is under way
            struck = [strike for strike in self._strikes if strike.struck]
        self._check_end(stage, ended)
        words = [AWAY, *(strike.kind.words for strike in struck if strike.kind.words)]
        if ended.code > 0 and not any(re.search(each, ended.words) for each in words):
            raise WrongAnswer(f"{stage} ends with {ended.code} for another reason: {ended.log}")

    def _check_end(self, stage: str, ended: Ended) -> None:
        """See that a process ended as one of meanface's may."""
        if ended.code == -signal.SIGKILL or not ended.code:
            return
        named = re.match(r"meanface: (\w+): ", ended.words)
        if named is None or getattr(errors, named[1]).exit_code != ended.code:
            raise WrongAnswer(f"{stage} ends with {ended.code} and without a name for it: {ended.log}")
