"""Fault apart from hazard: may this reading be believed, or does the equipment speak?

`examine` is called for every row of a channel in order, before anything else looks at it, and answers with
one of the verdicts below. What to do on each:

    OK         score it, learn it
    DOUBTED    score it, do not learn it (it stands still longer than ever, or it is late)
    HELD       neither: it jumped, and one reading cannot tell a spike from a burst pipe. At most two rows
               in a row are held; the next one is OK (it was a spike), RELEASED (it was real) or FAULTY
    FAULTY     neither: the equipment speaks; `state.fault` says how
    RELEASED   the jump was real: score it against what was expected before the jump, learn it
    RECOVERED  the first believable row after a fault or a long silence: what was learned may stand where the
               channel was long ago. Set the level to the value, do not score this row

A fault never hides a hazard for longer than the hold: after a fault a value is believed at once where the
channel has lately been, and otherwise must stand for three rows, and is then RELEASED and scored.

`state.fault` is the fault of the present episode, which ends after CALM_ROWS believable rows in a row, so a
plug that is loose for an hour is one episode. `state.drift` is +1 or -1 while the level drifts; drifting
rows are believed, scored and learned, since a drift seen in weeks must not hide a fire.

To embed it: put PLAUSIBILITY in the bank's dtype, after a field of the bank's own (a record that begins as
another one does is taken for it by numba, which warns), PLAUSIBILITY_TIMES among its `times`, call
`begin_plausibility(states, traits)` in `_begin`, and `examine` per row. The record costs 227 bytes.

What is learned of a channel: its usual pace, the tallest ordinary step and the longest ordinary rest, both
fading over `memory`, the range it has been in, its day-to-day sway. What its kind says beforehand stands in
`natures`: a door may jump, a battery may rest, a smoke head's rise is never put down to the equipment.

Sources: IOOS QARTOD 2020 (gap, gross range, spike, flat line); Sharma, Golubchik, Govindan 2010, "Sensor
faults: detection methods and prevalence in real-world datasets".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.compile import kernel
from models.detectors.bank import Trait
from models.detectors.conversions import conversion_of, converted_back
from models.detectors.natures import (
    LIVELY,
    MAY_REST,
    NEVER_ZERO,
    RESTS_AT_ZERO,
    STATE,
    TEMPERATURE,
    UPWARD,
    nature_of,
)
from models.detectors.rows import HISTORIC, NEVER
from models.detectors.slow_drift import DRIFT, follow_drift, forget_drift, has_come_back
from models.readings import Quality

OK, DOUBTED, HELD, FAULTY, RELEASED, RECOVERED = range(6)  # verdicts
NO_FAULT, SPIKE, DROPOUT, RANGE, UNIT, STUCK, ERRATIC, SILENT, DRIFTING = range(9)
_CALM, _HOLDING, _FAILED = range(3)  # phases

PLAUSIBILITY: list[Any] = [
    ("seen", "i8"),  # time of the last row of any sort
    ("since", "i8"),  # when the present episode began
    ("failed", "i8"),  # when its present run of faulty rows did
    ("period", "i8"),  # usual ns between rows
    ("jitter", "i8"),  # usual distance from it
    ("gap", "i8"),  # longest ordinary ns between live rows
    ("still", "i8"),  # ns the present rest has lasted
    ("longest", "i8"),  # ns of the longest ordinary rest
    ("level", "f8"),  # the last value believed
    ("tall", "f8"),  # the tallest ordinary step
    ("reach", "f8"),  # how many of these a step may be
    ("low", "f8"),
    ("high", "f8"),
    ("taught", "f8"),  # seconds believed
    ("candidate", "f8"),  # the value held, or that of the fault
    ("told", "f8"),  # the number the fault's reason gives: a spike's height, a sentinel
    ("floor", "f4"),  # four steps of the channel's resolution: no jump
    ("run", "u4"),  # rows of the present rest
    ("count", "u4"),  # rows believed
    ("live", "u4"),  # live rows heard
    ("bad", "u4"),  # rows of the episode that were not believed
    ("nature", "u2"),
    ("moves", "u1"),  # rows that differed from the one before
    ("phase", "u1"),
    ("fault", "u1"),
    ("held", "u1"),  # rows held in a row
    ("same", "u1"),  # of these, equal to the first
    ("unit", "u1"),  # the conversion the held rows fit
    ("trouble", "u1"),  # missing values, leaking away with good ones
    ("calm", "u1"),  # believed rows since the last bad one
    ("stuck", "u1"),  # the present rest was declared a fault
    ("loose", "u1"),  # values have jumped and come back in this episode
    *DRIFT,
]
PLAUSIBILITY_TIMES = ("seen", "since", "failed")

CALM_ROWS = 12
_INVALID, _BEYOND = int(Quality.INVALID), int(Quality.OUT_OF_RANGE)
_NANO = 1e-9
_PACES = 8  # a row stands for at most so many usual intervals; after a longer gap no step is a jump
_FEWEST = 30  # rows and
_FEWEST_MOVES = 8  # changes before a step can be called a jump
_FRESH_REACH = 8.0  # tallest steps a step may be on the first day
_REACH, _LIVELY_REACH = 2.0, 4.0  # and later
_WARY_REACH = 1.25
_CLEAR = 1.5  # a jump that leads nowhere is a fault from so many reaches on
_REST_TIMES = 3
_REST_ROWS = 8  # rows a rest must have, however short the longest was
_REST_FEWEST = 200  # rows believed before any rest is judged
_MISSING, _MISSING_LIMIT = 4, 12
_HOLD_ROWS = 3
_STEADY = 0.3  # share of a jump by which the rows that confirm it may differ
_LOOSE_ROWS = 6  # rows a new level must stand while the contact is loose
_BAND = 0.25  # share of its width by which the range may be left after a fault
_SENTINELS = np.array(
    (-999.0, -9999.0, -999.9, 999.9, 9999.0)
    + (65535.0, 6553.5, 655.35, 32767.0, 3276.7, 327.67, -32768.0, -3276.8, -327.68, 4294967295.0)
)
_SENTINELS_C = np.array([-127.0, 85.0])  # a DS18B20 without an answer, and after a brown-out


def begin_plausibility(states: NDArray[Any], traits: Sequence[Trait]) -> None:
    """Fill what a fresh state needs beyond zeros and NEVER."""
    states["floor"] = [4.0 * trait.resolution for trait in traits]
    states["nature"] = [nature_of(trait.kind) for trait in traits]
    states["reach"] = _FRESH_REACH


@kernel
def is_believed(verdict: int) -> bool:
    """Whether a row of this verdict may be learned from."""
    return verdict == OK or verdict >= RELEASED


@kernel
def examine(
    state: Any, time: int, value: float, quality: int, warmup: float, memory: float, window: float
) -> int:
    """The verdict on a row, 0..5, and everything there is to learn from it.

    `warmup`, s: how long what is learned is not trusted fully; `memory`, s: how fast extremes fade;
    `window`, s: time whose means are compared for drift. Rows with TIME_PAST or TIME_FUTURE must not come
    here; rows with INVALID, OUT_OF_RANGE or a value that is no number must: they are never believed.
    """
    if time <= state.seen:
        return DOUBTED
    first = state.seen == NEVER
    gap = time - state.seen if not first else 0
    step = _follow_pace(state, gap, quality, first)
    state.seen = time
    if quality & _INVALID or not math.isfinite(value):
        return _miss(state, time, value)
    if state.trouble > 0:
        state.trouble -= 1
    beyond = quality & _BEYOND != 0
    if state.count == 0:
        return _begin(state, time, value, beyond)
    if state.phase == _CALM and not beyond:
        change = value - state.level
        if not _is_jump(state, value, change, gap):
            return _accept(state, time, value, change, gap, step, warmup, memory, window)
        return _hold(state, value)
    return _doubt(state, time, value, beyond, step, warmup, memory, window)


@kernel
def silent_after(state: Any, unknown: int) -> int:
    """ns without a row after which the channel is silent; `unknown` while its pace is not known yet.

    Two and a half usual intervals where it is regular; where it is not, three of the longest ordinary gap.
    """
    if state.live < _PACES:
        return unknown
    gap = state.gap * 3 if state.jitter * 4 > state.period else state.gap + (state.gap >> 1)
    return int(max(gap, state.period * 5 >> 1))


@kernel
def fall_silent(state: Any, at: int) -> None:
    """Note the fault that only time can tell."""
    if state.fault == NO_FAULT:
        state.since = at
    state.fault = SILENT
    state.calm = 0


@kernel
def _follow_pace(state: Any, gap: int, quality: int, first: bool) -> int:
    """Learn how often the channel speaks; returns the ns this row stands for."""
    if first:
        return 0
    if state.period == 0:
        state.period = gap
    step = min(gap, _PACES * state.period)
    if not quality & HISTORIC:
        limit = silent_after(state, gap)
        # A silence that was told teaches a little: a channel that is often quiet is not told for ever.
        state.gap = max(state.gap - (state.gap - state.period >> 12), min(gap, limit))
        state.live += 1
    off = step - state.period
    state.jitter += (min(abs(off), state.period) - state.jitter) >> 4
    state.period += max(-(state.period >> 2), min(state.period >> 2, off)) >> 2
    return int(step)


@kernel
def _begin(state: Any, time: int, value: float, beyond: bool) -> int:
    """The first value of all."""
    if beyond:
        return _fail(state, RANGE, time, value)
    state.level = value
    state.low = value
    state.high = value
    state.count = 1
    state.run = 1
    state.phase = _CALM
    return OK


@kernel
def _reach_of(state: Any) -> float:
    """How far one step may go; no further than the tallest ordinary one while the contact is loose."""
    if state.loose:
        return float(_WARY_REACH * state.tall + 0.5 * state.floor)
    return float(state.reach * state.tall + state.floor)


@kernel
def _is_in_band(state: Any, value: float, share: float) -> bool:
    """Whether the channel has lately been about there."""
    margin = share * (state.high - state.low) + state.floor
    return bool(state.low - margin <= value <= state.high + margin)


@kernel
def _is_jump(state: Any, value: float, change: float, gap: int) -> bool:
    """Whether a step is too high to be ordinary."""
    reach = _reach_of(state)
    if abs(change) <= reach:
        return False
    if state.count < _FEWEST or state.moves < _FEWEST_MOVES or state.nature & STATE:
        return False
    if state.nature & LIVELY and _is_in_band(state, value, 1.0):
        return False
    if gap > _PACES * state.period:
        return not _is_in_band(state, value, _BAND)
    return bool(abs(change) * state.period > reach * gap)


@kernel
def _is_sentinel(nature: int, value: float) -> bool:
    """Whether the value is what dead sensors and their drivers send instead of one."""
    if value == 0.0:
        return nature & NEVER_ZERO != 0
    for k in range(_SENTINELS.shape[0]):
        if value == _SENTINELS[k]:
            return True
    return nature & TEMPERATURE != 0 and (value == _SENTINELS_C[0] or value == _SENTINELS_C[1])


@kernel
def _accept(
    state: Any,
    time: int,
    value: float,
    change: float,
    gap: int,
    step: int,
    warmup: float,
    memory: float,
    window: float,
) -> int:
    """Believe an ordinary row and learn it: OK, DOUBTED, RECOVERED, FAULTY when it rests for too long."""
    verdict = OK
    if change == 0.0:
        verdict = _rest(state, time, value, step, warmup)
        if verdict == FAULTY:
            return FAULTY
    else:
        if abs(change) > state.tall and gap <= _PACES * state.period and not state.loose:
            state.tall = abs(change)
        _end_rest(state)
        state.moves = min(state.moves + 1, _FEWEST_MOVES)
    _learn(state, value, step, warmup, memory, window)
    return RECOVERED if gap > _PACES * state.period else verdict


@kernel
def _learn(state: Any, value: float, step: int, warmup: float, memory: float, window: float) -> None:
    """What every believed row teaches: range, trust, drift; extremes fade."""
    seconds = step * _NANO
    fade = seconds / memory
    state.tall -= fade * state.tall
    state.low = min(value, state.low + fade * (value - state.low))
    state.high = max(value, state.high - fade * (state.high - value))
    state.level = value
    state.count += 1
    if state.taught < warmup or state.reach == _FRESH_REACH:
        state.taught += seconds
        settled = _LIVELY_REACH if state.nature & LIVELY else _REACH
        share = min(1.0, state.taught / warmup) if warmup > 0.0 else 1.0
        state.reach = _FRESH_REACH + share * (settled - _FRESH_REACH)
    follow_drift(state, value, seconds, window)
    if state.fault != NO_FAULT:
        _calm_down(state)


@kernel
def _calm_down(state: Any) -> None:
    """Count believed rows after a fault; enough of them end the episode, which teaches a little tolerance."""
    state.calm += 1
    if state.calm >= CALM_ROWS:
        if state.loose:
            state.tall *= 1.25
        state.loose = 0
        state.fault = NO_FAULT
        state.bad = 0


@kernel
def _rest(state: Any, time: int, value: float, step: int, warmup: float) -> int:
    """One more row that is equal to the last."""
    state.run += 1
    if state.nature & MAY_REST or (value == 0.0 and state.nature & RESTS_AT_ZERO):
        return OK
    if state.nature & UPWARD and value >= state.high:
        return OK  # the end of the scale, in a gas that fills the room
    state.still += step
    if state.run < _REST_ROWS or state.count < _REST_FEWEST or state.taught < warmup:
        return OK
    if state.still >= _REST_TIMES * state.longest:
        state.stuck = 1
        return _fail(state, STUCK, time, value)
    return DOUBTED if state.still > state.longest else OK


@kernel
def _end_rest(state: Any) -> None:
    """The value moved: the rest that ends may be the longest one. One that was told teaches a little."""
    if state.still > state.longest:
        told = state.longest + (state.longest >> 1)
        state.longest = min(state.still, max(told, 2 * state.period)) if state.stuck else state.still
    state.still = 0
    state.run = 1
    state.stuck = 0


@kernel
def _fail(state: Any, code: int, time: int, value: float) -> int:
    """Enter a fault; one that follows another within the episode goes on with it."""
    if state.fault == NO_FAULT:
        state.since = time
        state.bad = 0
    if state.phase != _FAILED:
        state.failed = time
    state.fault = code
    state.told = value
    state.bad += 1 + state.held
    state.phase = _FAILED
    state.candidate = value
    state.held = 0
    state.calm = 0
    return FAULTY


@kernel
def _miss(state: Any, time: int, value: float) -> int:
    """A row without a number: once is nothing, three times in a row is a fault, every other time soon is."""
    state.trouble = min(state.trouble + _MISSING, 2 * _MISSING_LIMIT)
    if state.phase == _FAILED:
        state.bad += 1
        state.calm = 0
        return FAULTY
    if state.trouble >= _MISSING_LIMIT:
        return _fail(state, DROPOUT, time, np.nan)
    return HELD


@kernel
def _hold(state: Any, value: float) -> int:
    """Wait for the next row before a jump is called anything."""
    state.phase = _HOLDING
    state.candidate = value
    state.told = value
    state.held = 1
    state.same = 1
    state.unit = _unit_of(state, value)
    return HELD


@kernel
def _unit_of(state: Any, value: float) -> int:
    """The conversion that explains the jump; none where a rise is what the sensor is there to tell."""
    if state.loose or (state.nature & UPWARD and value > state.level):
        return 0
    return conversion_of(state.level, value, state.tall + state.floor, state.nature)


@kernel
def _doubt(
    state: Any,
    time: int,
    value: float,
    beyond: bool,
    step: int,
    warmup: float,
    memory: float,
    window: float,
) -> int:
    """A row while a jump is held or a fault lasts, or one outside what the channel can be."""
    if state.phase == _FAILED and _goes_on(state, value, beyond):
        state.bad += 1
        state.calm = 0
        return FAULTY
    if beyond:
        return _fail_beyond(state, time, value)
    if _is_back(state, value):
        return _return(state, time, value, step, warmup, memory, window)
    if state.phase == _FAILED and state.fault != ERRATIC:
        return _hold(state, value)
    verdict = _hold_on(state, time, value)
    if verdict >= RELEASED:
        _resume(state, value, step, warmup, memory, window)
    return verdict


@kernel
def _fail_beyond(state: Any, time: int, value: float) -> int:
    """A value the channel cannot have: a sentinel, another unit, or simply out of range."""
    if _is_sentinel(state.nature, value):
        return _fail(state, DROPOUT, time, value)
    number = _unit_of(state, value) if state.count >= _FEWEST else 0
    if number == 0:
        return _fail(state, RANGE, time, value)
    state.unit = number
    verdict = _fail(state, UNIT, time, value)
    state.level = converted_back(number, value)
    return verdict


@kernel
def _goes_on(state: Any, value: float, beyond: bool) -> bool:
    """Whether the present fault explains this row too."""
    if state.fault == UNIT:
        back = converted_back(state.unit, value)
        if abs(back - state.level) > 2.0 * _reach_of(state):
            return False
        state.level = back
        return True
    if state.fault == STUCK:
        return bool(value == state.level) and not beyond
    if state.fault == RANGE and beyond:
        return True
    return bool(value == state.candidate) and state.fault != ERRATIC


@kernel
def _is_back(state: Any, value: float) -> bool:
    """Whether the value is where the channel was, or after a fault where it lately has been."""
    away = abs(value - state.level)
    if state.phase == _HOLDING:
        return bool(away <= state.tall + 0.25 * state.floor)
    if away <= _reach_of(state):
        return True
    return _was_long(state) and _is_in_band(state, value, _BAND)


@kernel
def _was_long(state: Any) -> bool:
    """Whether the fault has lasted so long that the quantity may have gone elsewhere meanwhile."""
    return bool(state.seen - state.failed > _PACES * state.period)


@kernel
def _return(
    state: Any, time: int, value: float, step: int, warmup: float, memory: float, window: float
) -> int:
    """The first believable row after held or faulty ones."""
    was_long = state.phase == _FAILED and _was_long(state)
    if state.phase == _HOLDING:
        _tell_spike(state, time, state.told)
    elif not was_long:
        state.loose = 1
    _resume(state, value, step, warmup, memory, window)
    return RECOVERED if was_long else OK


@kernel
def _is_clear(state: Any, value: float) -> bool:
    """Whether a jump is so high that only the equipment can have made it, if it leads nowhere."""
    return bool(abs(value - state.level) > _CLEAR * _reach_of(state))


@kernel
def _tell_spike(state: Any, time: int, spiked: float) -> None:
    """The held rows were a spike: a fault if it was high, else a wobble that teaches."""
    if _is_sentinel(state.nature, spiked):
        _fail(state, DROPOUT, time, spiked)
    elif _is_clear(state, spiked) or state.fault != NO_FAULT:
        _fail(state, SPIKE, time, spiked)
    else:
        state.tall = max(state.tall, 0.6 * abs(spiked - state.level))
        return
    state.bad -= 1
    state.loose = 1
    if state.fault == SPIKE and state.bad >= _HOLD_ROWS:
        state.fault = ERRATIC


@kernel
def _resume(state: Any, value: float, step: int, warmup: float, memory: float, window: float) -> None:
    """Go on from a value that is believed, however far it is from the last one."""
    state.phase = _CALM
    state.held = 0
    if value != state.level:
        _end_rest(state)
    _learn(state, value, step, warmup, memory, window)


@kernel
def _hold_on(state: Any, time: int, value: float) -> int:
    """The second or third row of a jump: HELD, FAULTY, RELEASED or RECOVERED."""
    jump = state.candidate - state.level
    move = value - state.candidate
    if move == 0.0 and _is_sentinel(state.nature, value):
        return _fail(state, DROPOUT, time, value)
    onward = move * jump > 0.0 and abs(move) <= 10.0 * abs(jump)
    if not onward and abs(move) > max(2.0 * _reach_of(state), 0.0 if state.loose else _STEADY * abs(jump)):
        return _stray(state, time, value)
    back = converted_back(state.unit, value)
    if state.unit and abs(back - state.level) > 2.0 * (state.tall + state.floor):
        state.unit = 0
    state.same += 1 if move == 0.0 else 0
    state.candidate = value
    state.held += 1
    if state.held >= (_LOOSE_ROWS if state.loose else _HOLD_ROWS):
        return _settle(state, time, value)
    gradual = onward and 0.3 * abs(jump) <= abs(move) <= 3.0 * abs(jump)
    if gradual and state.unit == 0 and state.fault == NO_FAULT and abs(jump) <= 3.0 * _reach_of(state):
        return _settle(state, time, value)
    return HELD if state.phase == _HOLDING else FAULTY


@kernel
def _stray(state: Any, time: int, value: float) -> int:
    """A jump followed by one that leads neither back nor on: once may be, twice is a loose contact."""
    if state.phase == _HOLDING and state.held >= _HOLD_ROWS - 1:
        if _is_clear(state, state.told):
            state.loose = 1
            return _fail(state, ERRATIC, time, value)
        return _release(state, value)
    state.candidate = value
    state.same = 1
    state.unit = 0
    if state.phase == _HOLDING:
        state.held += 1
        return HELD
    state.held = 1
    state.bad += 1
    state.calm = 0
    return FAULTY


@kernel
def _settle(state: Any, time: int, value: float) -> int:
    """The jump has stood its time: another unit, a rail, a drift undone, or real."""
    if state.unit:
        verdict = _fail(state, UNIT, time, value)
        state.level = converted_back(state.unit, value)
        return verdict
    if state.same >= _HOLD_ROWS and _is_rail(state, value):
        return _fail(state, RANGE, time, value)
    if has_come_back(state, value):
        forget_drift(state)
        return RECOVERED
    return _release(state, value)


@kernel
def _release(state: Any, value: float) -> int:
    """The jump is believed; the next one like it will not be held."""
    state.tall = max(state.tall, 0.6 * abs(value - state.level))
    return RELEASED


@kernel
def _is_rail(state: Any, value: float) -> bool:
    """Whether a value that stands exactly still after a jump is an end stop and no measurement."""
    if value == 0.0 or state.nature & LIVELY or (state.nature & UPWARD and value > state.level):
        return False
    return state.longest < 2 * state.period and not _is_in_band(state, value, 1.0)
