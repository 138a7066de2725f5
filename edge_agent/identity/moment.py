"""The time by which certificates' dates are judged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edge_agent.sampler.clock_memory import load_memory
from edge_agent.sampler.clock_trust import Stamp, clock_state, has_rtc, is_synchronised
from edge_agent.tls import Moment, Now
from models.clock import EARLIEST_NS, Clock, ClockState


def by_stamps(stamp: Callable[[], Stamp]) -> Now:
    """The time as the running agent's clock watch tells it, never below what this release knows."""

    def now() -> Moment:
        told = stamp()
        return Moment(max(told.wall_ns, EARLIEST_NS), told.state is not ClockState.UNTRUSTED)

    return now


def by_memory(clock: Clock, path: Path) -> Now:
    """The time as a program beside the agent can know it: the clock's, or the last good one remembered."""

    def now() -> Moment:
        memory, wall = load_memory(path), clock.wall_ns()
        state = clock_state(
            wall,
            synchronised=is_synchronised(),
            floor_ns=memory.floor_ns,
            has_rtc=has_rtc(),
            was_good=memory.was_good,
        )
        if state is ClockState.UNTRUSTED:
            return Moment(max(wall, memory.floor_ns, EARLIEST_NS), False)
        return Moment(wall)

    return now
