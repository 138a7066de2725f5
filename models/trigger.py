"""Scores to transitions: thresholds with hysteresis, delays in event time, packed per channel.

        score >= on               on_delay passed            score < off
    IDLE ----------> PENDING ----------------------> FIRING -----------> HOLDING
      ^                 | score < on                    ^ score >= off      |
      +-----------------+                               +-------------------+
      ^------------------------- off_delay passed --------------------------+

A delay of zero passes at once. Between readings the last score stands; delays that end between readings
end on a whole second. Readings that are imported, not believed or not judged never move a trigger.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.configuration import TriggerConfig
from models.detectors.bank import AdvanceScores, Scores, columns_of
from models.detectors.compile import compiled
from models.detectors.held import whole_second
from models.detectors.rows import HISTORIC, JUDGED, NEVER, RUN, SECOND
from models.errors import SnapshotError
from models.readings import Bytes, Floats, Int64s, ReadingBlock
from models.snapshot import pack_state, unpack_state

# Rows of a block at which event time enters a new whole second, and those seconds in ns.
Crossings = tuple[Int64s, Int64s]
NO_CROSSINGS: Crossings = (np.empty(0, np.int64), np.empty(0, np.int64))


class Phase(enum.IntEnum):
    """Where a channel's trigger stands; the alert is out in FIRING and HOLDING."""

    IDLE = 0
    PENDING = 1
    FIRING = 2
    HOLDING = 3


class Why(enum.IntEnum):
    """The reason of a decision."""

    QUIET = 0  # below on, and was
    ROSE = 1  # reached on
    WAITING = 2  # pending, its delay not over
    LASTED = 3  # pending long enough: fires
    FELL = 4  # below the threshold that kept it
    STAYED = 5  # firing goes on
    RETURNED = 6  # holding, but the score came back
    ENDING = 7  # holding, its delay not over
    RECOVERED = 8  # resolved


def next_phase(
    phase: Phase, score: float, waited_ns: int, on: float, off: float, on_delay_ns: int, off_delay_ns: int
) -> tuple[Phase, Why]:
    """Phase after hearing `score`, `waited_ns` after the present phase began, and why.

    >>> next_phase(Phase.IDLE, 10.0, 0, 3.0, 2.1, 0, 0)
    (<Phase.FIRING: 2>, <Why.ROSE: 1>)
    """
    above = score >= on
    below = score < off or score <= 0.0 < on
    if phase == Phase.IDLE:
        if not above:
            return Phase.IDLE, Why.QUIET
        return (Phase.PENDING if on_delay_ns else Phase.FIRING), Why.ROSE
    if phase == Phase.PENDING:
        if not above:
            return Phase.IDLE, Why.FELL
        return (Phase.FIRING, Why.LASTED) if waited_ns >= on_delay_ns else (Phase.PENDING, Why.WAITING)
    if phase == Phase.FIRING:
        if not below:
            return Phase.FIRING, Why.STAYED
        return (Phase.HOLDING, Why.FELL) if off_delay_ns else (Phase.IDLE, Why.RECOVERED)
    if not below:
        return Phase.FIRING, Why.RETURNED
    return (Phase.IDLE, Why.RECOVERED) if waited_ns >= off_delay_ns else (Phase.HOLDING, Why.ENDING)


IDLE, PENDING, FIRING, HOLDING = (int(phase) for phase in Phase)

STATE = np.dtype(
    [
        ("phase", "i4"),
        ("boot", "i4"),  # of the last reading: number in the monitor's list of boots
        ("since", "i8"),  # when the phase began
        ("advanced", "i8"),
        ("score", "f8"),
        ("last_index", "i8"),
        ("last_time", "i8"),
        ("last_value", "f8"),
        ("run_index", "i8"),  # first reading of the run a detector has marked; -1 none
        ("run_time", "i8"),
        ("run_boot", "i4"),
        ("onset_boot", "i4"),
        ("onset_index", "i8"),
        ("onset_time", "i8"),
        ("fired_at", "i8"),
        ("measured_at", "i8"),
        ("peak", "f8"),  # score that fired
        ("value", "f8"),  # reading that fired, NaN for silence
        ("expected", "f8"),
        ("lower", "f8"),
        ("upper", "f8"),
        ("detail", "f8"),
        ("marks", "i4"),
        ("quality", "i4"),
    ]
)
TIMES = ("since", "advanced", "last_time", "run_time")


@compiled
def decide(
    phase: int, score: float, waited: int, on: float, off: float, on_delay: int, off_delay: int
) -> int:
    """`next_phase` as numbers, without the reason; a test holds the two equal."""
    if phase <= PENDING:
        if score < on:
            return IDLE
        if phase == IDLE:
            return PENDING if on_delay > 0 else FIRING
        return FIRING if waited >= on_delay else PENDING
    if not (score < off or score <= 0.0 < on):
        return FIRING
    if phase == FIRING:
        return HOLDING if off_delay > 0 else IDLE
    return IDLE if waited >= off_delay else HOLDING


@compiled
def _keep(state: Any, table: Floats, row: int, time: int, value: float, marks: int, quality: int) -> None:
    """Remember what an alert will say, should this be the reading that fires it."""
    state.peak = table[0, row]
    state.expected = table[1, row]
    state.lower = table[2, row]
    state.upper = table[3, row]
    state.detail = table[4, row]
    state.value = value
    state.measured_at = time
    state.marks = marks
    state.quality = quality


@compiled
def _move(state: Any, phase: int, at: int) -> int:
    """Enter `phase` at `at`; 1 when the alert fires by it, 2 when it resolves, else 0."""
    before = state.phase
    if phase == before:
        return 0
    state.phase = phase
    state.since = at
    if phase == FIRING and before != HOLDING:
        state.fired_at = at
        return 1
    return 2 if phase == IDLE and before != PENDING else 0


@compiled
def settle(
    states: NDArray[Any],
    time: int,
    on: float,
    off: float,
    on_delay: int,
    off_delay: int,
    moved: NDArray[np.int64],
    found: int,
) -> int:
    """End the delays that are over by `time`, each on its own whole second; at most one a channel.

    Transitions are added to the `found` ones in `moved`; returns how many there are then.
    """
    for slot in range(states.shape[0]):
        state = states[slot]
        if time <= state.advanced:
            continue
        if state.phase == PENDING or state.phase == HOLDING:
            delay = on_delay if state.phase == PENDING else off_delay
            due = whole_second(state.since + delay, state.advanced)
            if due <= time:
                phase = decide(state.phase, state.score, delay, on, off, on_delay, off_delay)
                kind = _move(state, phase, due)
                if kind:
                    moved[found, 0] = slot
                    moved[found, 1] = kind
                    moved[found, 2] = due
                    found += 1
        state.advanced = time
    return found


@compiled
def step_rows(
    states: NDArray[Any],
    slots: NDArray[np.int32],
    base: int,
    channel: NDArray[np.int32],
    time: NDArray[np.int64],
    value: Floats,
    quality: Bytes,
    first_index: int,
    boot: int,
    table: Floats,
    flags: Bytes,
    cut_rows: NDArray[np.int64],
    cut_seconds: NDArray[np.int64],
    on: float,
    off: float,
    on_delay: int,
    off_delay: int,
    moved: NDArray[np.int64],
) -> int:
    """Hear the scores of a block; transitions go to `moved` rows (slot, 1 fired / 2 resolved, at).

    Before row `cut_rows[k]` event time reaches `cut_seconds[k]`. `moved` must hold two for each row of the
    block and one for each channel.
    """
    found, cut = 0, 0
    for row in range(channel.shape[0]):
        while cut < cut_rows.shape[0] and cut_rows[cut] <= row:
            found = settle(states, cut_seconds[cut], on, off, on_delay, off_delay, moved, found)
            cut += 1
        if not flags[row] & JUDGED or quality[row] & HISTORIC:
            continue
        slot = slots[channel[row] - base]
        state = states[slot]
        score = table[0, row]
        state.score = score
        state.boot = boot
        state.last_index = first_index + row
        state.last_time = time[row]
        state.last_value = value[row]
        _mark_run(state, flags[row])
        was = state.phase
        phase = decide(was, score, time[row] - state.since, on, off, on_delay, off_delay)
        if was == IDLE and phase != IDLE:
            state.onset_index = state.run_index if flags[row] & RUN else state.last_index
            state.onset_time = state.run_time if flags[row] & RUN else time[row]
            state.onset_boot = state.run_boot if flags[row] & RUN else boot
        if was <= PENDING and phase != IDLE:
            _keep(state, table, row, time[row], value[row], flags[row], quality[row])
        kind = _move(state, phase, time[row])
        if kind:
            moved[found, 0] = slot
            moved[found, 1] = kind
            moved[found, 2] = time[row]
            found += 1
    return found


@compiled
def _mark_run(state: Any, flags: int) -> None:
    """Follow the run a detector marks, so that a judgement later knows its first reading."""
    if not flags & RUN:
        state.run_index = -1
    elif state.run_index < 0:
        state.run_index = state.last_index
        state.run_time = state.last_time
        state.run_boot = state.boot


@compiled
def step_judgements(
    states: NDArray[Any],
    slot: NDArray[np.int64],
    at: NDArray[np.int64],
    table: Floats,
    on: float,
    off: float,
    on_delay: int,
    off_delay: int,
    moved: NDArray[np.int64],
) -> int:
    """Hear what `advance` judged. The onset is the run's first reading, else the last reading of all."""
    found = 0
    for row in range(slot.shape[0]):
        state = states[slot[row]]
        state.score = table[0, row]
        was = state.phase
        phase = decide(was, state.score, at[row] - state.since, on, off, on_delay, off_delay)
        if was == IDLE and phase != IDLE:
            in_run = state.run_index >= 0
            state.onset_index = state.run_index if in_run else state.last_index
            state.onset_time = state.run_time if in_run else state.last_time
            state.onset_boot = state.run_boot if in_run else state.boot
            seen = state.last_time if state.last_time != NEVER else at[row]
            if state.onset_time == NEVER:
                state.onset_time = at[row]
            _keep(state, table, row, seen, state.last_value if in_run else np.nan, 0, 0)
        kind = _move(state, phase, at[row])
        if kind:
            moved[found, 0] = slot[row]
            moved[found, 1] = kind
            moved[found, 2] = at[row]
            found += 1
    return found


@dataclass(frozen=True, slots=True)
class Transition:
    """An alert's beginning or end on the channel at `slot`; the state says the rest."""

    slot: int
    fired: bool
    at: int


class Trigger:
    """One trigger for all channels of a monitor."""

    def __init__(self, config: TriggerConfig, channels: int) -> None:
        self._thresholds = (
            config.on,
            config.off_threshold,
            round(config.on_delay_s * SECOND),
            round(config.off_delay_s * SECOND),
        )
        self.needs_time = bool(self._thresholds[2] or self._thresholds[3])
        self.state = fresh_state(channels)
        self._moved = np.empty((max(64, channels), 3), np.int64)

    def step(
        self,
        block: ReadingBlock,
        scores: Scores,
        slots: NDArray[np.int32],
        base: int,
        boot: int,
        cuts: Crossings = NO_CROSSINGS,
    ) -> list[Transition]:
        """Hear a block's scores, in order of rows; at `cuts` event time passes and delays may end."""
        moved = self._room(2 * len(block) + len(self.state))
        channel, time, value, quality = columns_of(block)
        found = step_rows(
            self.state,
            slots,
            base,
            channel,
            time,
            value,
            quality,
            block.first_index,
            boot,
            scores.table,
            scores.flags,
            cuts[0],
            cuts[1],
            *self._thresholds,
            moved,
        )
        return _transitions(moved, found)

    def judge(self, judged: AdvanceScores) -> list[Transition]:
        """Hear what a bank's `advance` says."""
        moved = self._room(len(judged.slot))
        found = step_judgements(self.state, judged.slot, judged.at, judged.table, *self._thresholds, moved)
        return _transitions(moved, found)

    def advance(self, time_ns: int) -> list[Transition]:
        """Let delays end by event time `time_ns`."""
        found = settle(self.state, time_ns, *self._thresholds, self._moved, 0)
        return _transitions(self._moved, found)

    def shift(self, delta_ns: int) -> None:
        """Move remembered times by a step of the wall clock. What alerts will say stays as it was said."""
        for field in TIMES:
            column = self.state[field]
            column[column != NEVER] += delta_ns

    def snapshot(self, slots: Sequence[int]) -> bytes:
        chosen = self.state[list(slots)]
        return pack_state(_BINDING, len(chosen), chosen.tobytes())

    def restore(self, data: bytes, slots: Sequence[int]) -> None:
        """Take stored state; row i goes to `slots[i]` (-1: dropped)."""
        count, body = unpack_state(_BINDING, data)
        if count != len(slots) or len(body) != count * STATE.itemsize:
            raise SnapshotError(f"snapshot holds {count} triggers, {len(slots)} expected")
        rows = np.frombuffer(body, STATE)
        for row, slot in enumerate(slots):
            if slot >= 0:
                self.state[slot] = rows[row]

    def _room(self, rows: int) -> Int64s:
        if rows > len(self._moved):
            self._moved = np.empty((rows, 3), np.int64)
        return self._moved


_BINDING = f"trigger {STATE.descr}"


def fresh_state(channels: int) -> NDArray[Any]:
    """Idle triggers that have heard nothing."""
    state = np.zeros(channels, STATE)
    for field in TIMES:
        state[field] = NEVER
    state["last_index"] = -1
    state["run_index"] = -1
    state["last_value"] = np.nan
    return state


def _transitions(moved: Int64s, found: int) -> list[Transition]:
    return [Transition(int(slot), kind == 1, int(at)) for slot, kind, at in moved[:found].tolist()]
