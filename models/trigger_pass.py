"""The trigger's packed state and its compiled pass: decisions for all channels of a block in one call."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.budget import watch
from models.compile import kernel
from models.detectors.held import whole_second
from models.detectors.rows import HISTORIC, JUDGED, NEVER, RUN, SECOND, WARMING
from models.readings import Bytes, Floats

IDLE, PENDING, FIRING, HOLDING = range(4)

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
        ("on", "f8"),  # the channel's thresholds; an alarm budget moves them
        ("off", "f8"),
        ("rose", "i8"),  # readings in a row that reached `on`
    ]
)
TIMES = ("since", "advanced", "last_time", "run_time")


@kernel
def decide(
    phase: int,
    score: float,
    waited: int,
    on: float,
    off: float,
    on_delay: int,
    off_delay: int,
    missing: int = 0,
) -> int:
    """`trigger.next_phase` as numbers, without the reason; a test holds the two equal."""
    if phase <= PENDING:
        if score < on:
            return IDLE
        if phase == IDLE:
            return PENDING if on_delay > 0 or missing > 0 else FIRING
        return FIRING if waited >= on_delay and missing <= 0 else PENDING
    if not (score < off or score <= 0.0 < on):
        return FIRING
    if phase == FIRING:
        return HOLDING if off_delay > 0 else IDLE
    return IDLE if waited >= off_delay else HOLDING


@kernel
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


@kernel
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


@kernel
def _tell(
    state: Any, slot: int, kind: int, at: int, moved: NDArray[np.int64], told: NDArray[Any], found: int
) -> int:
    """Write down a transition with the state as it is now; later rows may change it."""
    moved[found, 0] = slot
    moved[found, 1] = kind
    moved[found, 2] = at
    told[found] = state
    return found + 1


@kernel
def _settle_one(
    state: Any,
    slot: int,
    time: int,
    on_delay: int,
    off_delay: int,
    on_readings: int,
    moved: NDArray[np.int64],
    told: NDArray[Any],
    found: int,
) -> int:
    """End the channel's delay if it is over by `time`, on its own whole second."""
    if time <= state.advanced:
        return found
    if state.phase == PENDING or state.phase == HOLDING:
        delay = on_delay if state.phase == PENDING else off_delay
        due = whole_second(state.since + delay, state.advanced)
        if due <= time:
            missing = on_readings - state.rose
            phase = decide(state.phase, state.score, delay, state.on, state.off, on_delay, off_delay, missing)
            kind = _move(state, phase, due)
            if kind:
                found = _tell(state, slot, kind, due, moved, told, found)
    state.advanced = time
    return found


@kernel
def settle(
    states: NDArray[Any],
    time: int,
    on_delay: int,
    off_delay: int,
    on_readings: int,
    moved: NDArray[np.int64],
    told: NDArray[Any],
    found: int,
) -> int:
    """End the delays that are over by `time`; at most one a channel.

    Transitions are added to the `found` ones in `moved` and `told`; returns how many there are then.
    """
    for slot in range(states.shape[0]):
        found = _settle_one(states[slot], slot, time, on_delay, off_delay, on_readings, moved, told, found)
    return found


@kernel
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
    budgets: NDArray[Any],
    wished: float,
    least: float,
    share: float,
    on_delay: int,
    off_delay: int,
    on_readings: int,
    moved: NDArray[np.int64],
    told: NDArray[Any],
) -> int:
    """Hear the scores of a block; transitions go to `moved` rows (slot, 1 fired / 2 resolved, at).

    `told` takes the state at each. Before row `cut_rows[k]` event time reaches `cut_seconds[k]`. Both must
    hold two for each row of the block and one for each channel.
    """
    found, cut = 0, 0
    for row in range(channel.shape[0]):
        while cut < cut_rows.shape[0] and cut_rows[cut] <= row:
            found = settle(states, cut_seconds[cut], on_delay, off_delay, on_readings, moved, told, found)
            cut += 1
        if not flags[row] & JUDGED:
            continue
        slot = slots[channel[row] - base]
        state = states[slot]
        if quality[row] & HISTORIC:
            follow_budget(state, budgets, slot, time[row], table[0, row], flags[row], wished, least, share)
            continue
        score = table[0, row]
        state.score = score
        state.boot = boot
        state.last_index = first_index + row
        state.last_time = time[row]
        state.last_value = value[row]
        _mark_run(state, flags[row])
        was = state.phase
        state.rose = state.rose + 1 if score >= state.on else 0
        waited, missing = time[row] - state.since, on_readings - state.rose
        phase = decide(was, score, waited, state.on, state.off, on_delay, off_delay, missing)
        if was == IDLE and phase != IDLE:
            state.onset_index = state.run_index if flags[row] & RUN else state.last_index
            state.onset_time = state.run_time if flags[row] & RUN else time[row]
            state.onset_boot = state.run_boot if flags[row] & RUN else boot
        if was <= PENDING and phase != IDLE:
            _keep(state, table, row, time[row], value[row], flags[row], quality[row])
        kind = _move(state, phase, time[row])
        if kind:
            found = _tell(state, slot, kind, time[row], moved, told, found)
        follow_budget(state, budgets, slot, time[row], score, flags[row], wished, least, share)
    return found


@kernel
def follow_budget(
    state: Any,
    budgets: NDArray[Any],
    slot: int,
    time: int,
    score: float,
    flags: int,
    wished: float,
    least: float,
    share: float,
) -> None:
    """Let the alarm budget hear a row, and its threshold hold from the next row on, between alerts alone.

    `budgets` has no rows where there is no budget; `least` is the lowest threshold, `share` off's part of on.
    """
    if budgets.shape[0] == 0 or flags & WARMING:
        return
    budget = budgets[slot]
    watch(budget, time, score, wished)
    if state.phase == IDLE:
        state.on = max(least, budget.threshold)
        state.off = share * state.on


@kernel
def _mark_run(state: Any, flags: int) -> None:
    """Follow the run a detector marks, so that a judgement later knows its first reading."""
    if not flags & RUN:
        state.run_index = -1
    elif state.run_index < 0:
        state.run_index = state.last_index
        state.run_time = state.last_time
        state.run_boot = state.boot


@kernel
def step_judgements(
    states: NDArray[Any],
    slot: NDArray[np.int64],
    at: NDArray[np.int64],
    table: Floats,
    on_delay: int,
    off_delay: int,
    on_readings: int,
    moved: NDArray[np.int64],
    told: NDArray[Any],
) -> int:
    """Hear what `advance` judged; it rests on time, not on one reading, and needs no other to confirm it.

    The onset is the run's first reading, else the last reading of all."""
    found = 0
    for row in range(slot.shape[0]):
        state = states[slot[row]]
        # Delays that ended before this judgement come first, as they do when every second is stepped through.
        before = at[row] - SECOND
        found = _settle_one(state, slot[row], before, on_delay, off_delay, on_readings, moved, told, found)
        state.score = table[0, row]
        state.rose = on_readings
        was = state.phase
        phase = decide(was, state.score, at[row] - state.since, state.on, state.off, on_delay, off_delay)
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
            found = _tell(state, slot[row], kind, at[row], moved, told, found)
    return found
