"""The health window of a release: watches the agent until it is good or worse than the one before."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from edge_agent.trial.verdict import Before, Bounds, Verdict, judge_trial
from edge_agent.upgrade.signs import Signs
from models.clock import SECOND_NS

# Until the new release has told of itself at all: kernels may have to be compiled, an outbox to be mended.
START_S = 240.0
# status.json is written every 3 s.
STALE_S = 30.0


@dataclass(frozen=True, slots=True)
class Window:
    """`start_s`: for the first sign of life; `stale_s`: without one it hangs; `bounds.trial_s`: how long."""

    bounds: Bounds
    start_s: float = START_S
    stale_s: float = STALE_S


class Watch:
    """Fed with a look a second; says what there is to say once there is."""

    def __init__(
        self,
        window: Window,
        version: str,
        before: Before,
        *,
        wants_receipt: bool,
        since_at: int,
        since_ns: int,
        crashes: int = 0,
    ) -> None:
        self._window, self._version, self._before = window, version, before
        self._wants_receipt, self._since_at, self._since_ns = wants_receipt, since_at, since_ns
        self.crashes = self._crashes_before = crashes
        self._seen: set[int] = set()
        self._pid = 0
        self._first: Signs | None = None
        self._first_ns = self._changed_ns = 0
        self._mark: tuple[int, float] | None = None

    def look(self, signs: Signs | None, pids: Collection[int], now_ns: int) -> Verdict | None:
        """The verdict, or None while it is too early for one. `pids`: processes of the release that live."""
        self._seen.update(pids)
        self.crashes = max(self.crashes, self._crashes_before + len(self._seen) - 1)
        if signs is None or signs.version != self._version or not signs.is_running:
            return self._without(now_ns)
        self._note(signs, now_ns)
        if (now_ns - self._changed_ns) / SECOND_NS > self._window.stale_s:
            return Verdict(False, "silence", {"quiet_s": round((now_ns - self._changed_ns) / SECOND_NS)})
        return self._judge(signs, now_ns)

    def _without(self, now_ns: int) -> Verdict | None:
        """It has not told of itself yet, or not since it ended."""
        if self.crashes >= self._window.bounds.crashes:
            return Verdict(False, "crash", {"crashes": self.crashes})
        waited_s = (now_ns - (self._changed_ns or self._since_ns)) / SECOND_NS
        if waited_s <= self._window.start_s:
            return None
        return Verdict(False, "start", {"waited_s": round(waited_s), "crashes": self.crashes})

    def _note(self, signs: Signs, now_ns: int) -> None:
        if signs.mark != self._mark:
            self._mark, self._changed_ns = signs.mark, now_ns
        if signs.pid != self._pid:
            self._seen.add(signs.pid)
            self._pid, self._first, self._first_ns = signs.pid, signs, now_ns

    def _judge(self, signs: Signs, now_ns: int) -> Verdict | None:
        first = self._first
        assert first is not None
        elapsed_s = (now_ns - self._first_ns) / SECOND_NS
        span_s = signs.up_s - first.up_s
        share = (signs.cpu_s - first.cpu_s) / span_s if span_s > 0 else 0.0
        now = signs.now(elapsed_s, self.crashes, share)
        verdict = judge_trial(self._before, now, self._window.bounds)
        if verdict is None or not verdict.is_good:
            return verdict
        return self._proven(signs, elapsed_s)

    def _proven(self, signs: Signs, elapsed_s: float) -> Verdict | None:
        """Nothing is wrong; but where there were readings and receipts before, there must be some now."""
        lacks = [
            word
            for word, is_there in (
                ("judged", signs.judged > 0 or not self._before.gaps),
                ("receipts", signs.received_after(self._since_at) or not self._wants_receipt),
            )
            if not is_there
        ]
        if not lacks:
            return Verdict(True)
        if elapsed_s < 2 * self._window.bounds.trial_s:
            return None
        return Verdict(False, lacks[0], {"waited_s": round(elapsed_s)})


def wait_for_verdict(
    watch: Watch,
    look: Callable[[], tuple[Signs | None, Collection[int]]],
    monotonic_ns: Callable[[], int],
    sleep: Callable[[float], None],
    keep: Callable[[int], None],
) -> Verdict:
    """Look once a second until there is one; `keep` is told the number of crashes when it changes."""
    crashes = watch.crashes
    while True:
        verdict = watch.look(*look(), monotonic_ns())
        if verdict is not None:
            return verdict
        if watch.crashes != crashes:
            crashes = watch.crashes
            keep(crashes)
        sleep(1.0)
