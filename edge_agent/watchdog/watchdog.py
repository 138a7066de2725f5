"""Feeds the service manager's watchdog while every part of the program has gone round of late."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edge_agent.watchdog.record import Standstill, StandstillStore
from edge_agent.watchdog.supervisor import Supervisor
from models.clock import SECOND_NS, Clock

log = logging.getLogger(__name__)
JUDGE_LIMIT_S = 40.0
DEVICE_LIMIT_S = 50.0
UPLINK_LIMIT_S = 50.0
# Before the first reading was judged kernels may have to be compiled.
FIRST_JUDGED_LIMIT_S = 300.0
# Devices that do not answer must not keep the program from being called started.
READY_AFTER_S = 20.0
_LONGEST_S = 3600.0
_PEACE_S = 3600.0
_OVERSLEPT_S = 5.0
_RESTARTED = "ending, to be started anew"
_ALONE = "restart this program, and let a service manager watch it (WatchdogSec=30)"


@dataclass(frozen=True, slots=True)
class Part:
    """Something that must go round: `round_ns` is the monotonic time it last did, also while it waits."""

    name: str
    round_ns: int
    limit_s: float


class Watchdog:
    """`step` is called by the main loop at the end of each round, so the main loop's own work feeds it too.

    A part that stands still longer than its limit has the program ended. If the same part stands still again
    after that, starting anew does not help it: its limit doubles each time, up to an hour, so that one
    hanging device costs the others little.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        store: StandstillStore,
        clock: Clock,
        parts: Callable[[], Iterable[Part]],
    ) -> None:
        self._supervisor, self._store, self._clock, self._parts = supervisor, store, clock, parts
        self._before = store.load()
        self._started_ns = self._from_ns = self._stepped_ns = clock.monotonic_ns()
        self._words, self._is_ready, self._stands = "", False, ""
        if self._before is not None:
            log.warning("the last run was ended because %s stood still for %.0f s (%d in a row)",
                        self._before.part, self._before.stood_s, self._before.times)  # fmt: skip

    def step(self, words: str, *, has_begun: bool) -> None:
        """Look at all parts. `has_begun`: the first reading was judged, or no device is there to wait for."""
        now = self._clock.monotonic_ns()
        self._forgive(now)
        late = self._latest(now)
        if late is not None:
            self._stand_still(*late)
            return
        self._stands = ""
        self._begin(words, now, has_begun)
        self._supervisor.alive()

    def _begin(self, words: str, now: int, has_begun: bool) -> None:
        waited = now - self._started_ns > READY_AFTER_S * SECOND_NS
        if not self._is_ready and (has_begun or waited):
            self._is_ready = True
            self._supervisor.ready(words)
        elif words != self._words:
            self._supervisor.status(words)
        self._words = words

    def _forgive(self, now: int) -> None:
        """Where this loop itself was held up (the machine, a stopped process), so were the others."""
        if now - self._stepped_ns > _OVERSLEPT_S * SECOND_NS:
            self._from_ns = now
        self._stepped_ns = now
        if self._before is not None and now - self._started_ns > _PEACE_S * SECOND_NS:
            self._before = None
            self._store.forget()

    def _latest(self, now: int) -> tuple[str, float] | None:
        """The part furthest beyond its limit, and how long it has stood, s."""
        stood = [(part, (now - max(part.round_ns, self._from_ns)) / SECOND_NS) for part in self._parts()]
        late = [(stood_s - self._limit_s(part), part.name, stood_s) for part, stood_s in stood]
        beyond, name, stood_s = max(late)
        return (name, stood_s) if beyond > 0 else None

    def _limit_s(self, part: Part) -> float:
        before = self._before
        if before is None or before.part != part.name:
            return part.limit_s
        return max(part.limit_s, min(part.limit_s * 2.0**before.times, _LONGEST_S))

    def _stand_still(self, name: str, stood_s: float) -> None:
        words = f"{name} has stood still for {stood_s:.0f} s"
        if self._stands != name:
            self._stands = name
            log.critical("%s; %s", words, _RESTARTED if self._supervisor.watchdog_s else _ALONE)
            self._note(name, stood_s)
        self._supervisor.end_me(words)

    def _note(self, name: str, stood_s: float) -> None:
        before = self._before
        times = before.times + 1 if before is not None and before.part == name else 1
        try:
            self._store.save(
                Standstill(part=name, stood_s=round(stood_s, 1), at=self._clock.wall_ns(), times=times)
            )
        except OSError as wrong:
            log.error("watchdog.json: %s", wrong)
