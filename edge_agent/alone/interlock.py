"""When an output may be on: never too long, never again too soon, never too often."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from models.clock import SECOND_NS

DAY_NS = 86_400 * SECOND_NS


class Why(enum.StrEnum):
    """The reason of a decision."""

    IDLE = "idle"
    STARTED = "started"
    STAYS = "stays"
    ENDED = "ended"  # nothing wants it any more
    MAX_ON = "max_on"  # it was on for as long as it may
    PAUSE = "pause"  # refused: off for too short a time
    PER_DAY = "per_day"  # refused: switched on too often in 24 h


@dataclass(frozen=True, slots=True)
class Limits:
    """`max_on_ns` 0: without end."""

    max_on_ns: int
    min_pause_ns: int
    per_day: int


@dataclass(frozen=True, slots=True)
class State:
    """`since_ns`: when it was last switched, monotonic; `starts`: when on, within the last 24 h."""

    is_on: bool = False
    since_ns: int | None = None
    starts: tuple[int, ...] = ()


def next_state(state: State, limits: Limits, now_ns: int, *, wants: bool, is_new: bool) -> tuple[State, Why]:
    """State at `now_ns`, and why.

    `wants`: something asks for it to be on; `is_new`: something that it has not been on for yet.

    >>> limits = Limits(max_on_ns=60 * SECOND_NS, min_pause_ns=0, per_day=1)
    >>> state, why = next_state(State(), limits, 0, wants=True, is_new=True)
    >>> state.is_on, why.value
    (True, 'started')
    >>> next_state(state, limits, 60 * SECOND_NS, wants=True, is_new=False)[1].value
    'max_on'
    """
    if state.is_on:
        return _while_on(state, limits, now_ns, wants)
    if not is_new:
        return state, Why.IDLE
    starts = tuple(at for at in state.starts if now_ns - at < DAY_NS)
    if state.since_ns is not None and now_ns - state.since_ns < limits.min_pause_ns:
        return replace(state, starts=starts), Why.PAUSE
    if len(starts) >= limits.per_day:
        return replace(state, starts=starts), Why.PER_DAY
    return State(True, now_ns, (*starts, now_ns)), Why.STARTED


def _while_on(state: State, limits: Limits, now_ns: int, wants: bool) -> tuple[State, Why]:
    off = replace(state, is_on=False, since_ns=now_ns)
    if not wants:
        return off, Why.ENDED
    since = state.since_ns if state.since_ns is not None else now_ns
    if limits.max_on_ns and now_ns - since >= limits.max_on_ns:
        return off, Why.MAX_ON
    return state, Why.STAYS
