"""The default's compiled pass over a block."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.compile import fetch_ahead, kernel
from models.detectors.fusion.blend import learn_evidence, surprise_of_evidence
from models.detectors.fusion.day import VISIT_NS, learn_day, usual_now
from models.detectors.fusion.doubt import eased, heed, resume_at, tighten
from models.detectors.fusion.extreme import excess_of, learn_extreme
from models.detectors.fusion.frames import Singles, recent_mean, shift_of
from models.detectors.fusion.parts import (
    SETTLED,
    STRANGE,
    counted,
    learn_parts,
    matters,
    packed_shares,
    rate_parts,
)
from models.detectors.fusion.record import DAY, EMBED, FIELDS, PARTS, SHAPES
from models.detectors.fusion.shapes import follow_frames, nearest, note_closings, remember_newest, shape_at
from models.detectors.learned import NANO, step_of
from models.detectors.plausibility import FAULTY, RECOVERED, teaches
from models.detectors.rows import (
    CLOCK_UNTRUSTED,
    EXTRAPOLATED,
    JUDGED,
    NEVER,
    SUSPECT,
    WARMING,
    clear,
    heard_slot,
)
from models.readings import Bytes, Floats, Int64s

_FARTHEST = 1e18  # single precision squares it
_SCATTER_GAIN = 1.0 / 512.0
_LONGEST_PACES = 8  # after a silence, a reading stands for at most so many usual intervals
_LINE = 64  # bytes that come from memory at once
_FIELDS_AT: Any = np.dtype(FIELDS).fields or {}
_FIRST_LINES = -(-_FIELDS_AT["shapes"][1] // _LINE)  # head, frames and day
_LAST_AT = _FIELDS_AT["sketch"][1]
_LAST_LINES = -(-(np.dtype(FIELDS).itemsize - _LAST_AT) // _LINE)  # sketches, blend and the fault stage


@kernel
def begin(state: Any, time: int, value: float, visit: int, frame: int) -> None:
    """The channel's first reading."""
    state.anchor = value
    state.last = time
    state.frame = frame
    state.visit = visit


@kernel
def smoothed(state: Any, time: int, x: float, tau: float) -> float:
    """The reading drawn together exponentially with those before it over `tau` seconds; as it is at 0."""
    if tau <= 0.0:
        return x
    since = min(max(0, time - state.last), _LONGEST_PACES * max(1, state.pace)) * NANO
    return float(state.smooth - math.expm1(-since / tau) * (x - state.smooth))


@kernel
def draw_band(out: Floats, row: int, centre: float, reach: float, side: int) -> None:
    """Expected value, and the band about it on the sides that count; no band where `reach` is 0."""
    out[1, row] = centre
    out[2, row] = centre - reach if reach > 0.0 and side <= 0 else np.nan
    out[3, row] = centre + reach if reach > 0.0 and side >= 0 else np.nan


@kernel
def fetch_next(states: NDArray[Any], slots: NDArray[np.int32], base: int, channel: int) -> None:
    """Ask memory for what the next row's channel is judged by, but for its past shapes: they are read in
    order, and come by themselves."""
    place = channel - base
    if place < 0 or place >= slots.shape[0] or slots[place] < 0:
        return
    record = states.ctypes.data + slots[place] * states.strides[0]
    for line in range(_FIRST_LINES):
        fetch_ahead(record + _LINE * line)
    for line in range(_LAST_LINES):
        fetch_ahead(record + _LAST_AT + _LINE * line)


@kernel
def score_default(
    states: NDArray[Any],
    frames: Singles,
    season: Singles,
    visits: Singles,
    shapes: Singles,
    newest: Singles,
    ended: Int64s,
    closings: Int64s,
    sketches: NDArray[Any],
    blends: NDArray[Any],
    doubts: NDArray[Any],
    slots: NDArray[np.int32],
    base: int,
    channel: NDArray[np.int32],
    time: NDArray[np.int64],
    value: Floats,
    quality: Bytes,
    frame_ns: int,
    smooth: float,
    warmup: float,
    out: Floats,
    flags: Bytes,
) -> None:
    """Score, then learn. Suspect and late readings are scored, not learned.

    A doubted one is scored and says where the channel is, but not what is usual. What is put down to the
    equipment is neither scored nor learned and bears no mark; the first reading after it is not scored.
    """
    shape, scratch = np.empty(EMBED, np.float32), np.empty(EMBED, np.float32)
    apart, part = np.empty(SHAPES, np.float32), np.empty(PARTS)
    for row in range(channel.shape[0]):
        if row + 1 < channel.shape[0]:
            fetch_next(states, slots, base, channel[row + 1])
        clear(out, flags, row)
        slot = heard_slot(slots, base, channel[row], quality[row])
        if slot < 0:
            continue
        state, sketch, blend, doubt = states[slot], sketches[slot], blends[slot], doubts[slot]
        drifted = doubt.drift != 0
        verdict = heed(doubt, time[row], value[row], quality[row])
        if verdict == FAULTY:
            continue
        visit, frame = time[row] // VISIT_NS, time[row] // frame_ns
        learns = teaches(verdict) and not quality[row] & SUSPECT
        if state.last == NEVER:
            flags[row] = JUDGED | WARMING
            if learns:
                begin(state, time[row], value[row], visit, frame)
            continue
        x = max(-_FARTHEST, min(_FARTHEST, value[row] - state.anchor))
        trusted = not quality[row] & CLOCK_UNTRUSTED
        usual = usual_now(season[slot], visits[slot], visit) if trusted else np.nan
        if verdict == RECOVERED:
            before = usual_now(season[slot], visits[slot], state.visit)
            given = (frame, frame_ns, usual, before, time[row], x, smooth, drifted)
            closed = state.closed
            resume_at(state, doubt, frames[slot], *given)
            note_closings(closings[slot], closed, state.closed, time[row])
            remember_newest(newest[slot], shape, False)
            continue
        side, raw = state.side, x
        x = smoothed(state, time[row], raw, smooth)
        day = counted(eased(x - usual - state.level, state.slack), side)
        shift = counted(eased(shift_of(state, x), state.slack), side)
        whole = shape_at(state, frames[slot], x, shape)
        strange = nearest(shapes[slot], state.stored, shape, apart) if whole else np.nan
        excess = excess_of(state, x, side) if state.seen >= SETTLED else 0.0
        evidence = rate_parts(state, sketch, day, shift, strange, excess, part)
        warm = state.taught >= warmup and state.seen >= SETTLED
        score = surprise_of_evidence(blend, evidence) if warm else 0.0
        out[0, row] = score * matters(day, shift, excess, np.float64(state.floor))
        centre = recent_mean(state) if math.isnan(usual) else usual + state.level
        reach = max(np.float64(sketch[DAY].band) * state.usual[DAY], np.float64(state.floor))
        draw_band(out, row, state.anchor + centre, reach if warm else 0.0, side)
        out[4, row] = packed_shares(part, evidence)
        flags[row] = JUDGED if warm else JUDGED | WARMING
        if score > blend.known:
            flags[row] |= EXTRAPOLATED
        if quality[row] & SUSPECT or time[row] <= state.last:
            continue
        seconds = step_of(state, time[row]) * NANO
        if learns:
            believed = learn_parts(state, sketch, day, shift, strange, score, seconds)
            learn_evidence(blend, evidence, believed)
            learn_extreme(state, x, seconds, score >= STRANGE)
            state.seen += 1.0
            state.taught += seconds
            state.scatter += max(1.0 / state.seen, _SCATTER_GAIN) * (abs(raw - x) - state.scatter)
        if trusted:
            learn_day(state, season[slot], visits[slot], visit, x, seconds, learns)
        remember_newest(newest[slot], shape, whole)
        stores = (shapes[slot], ended[slot], closings[slot], scratch, apart)
        follow_frames(state, frames[slot], *stores, frame, frame_ns, learns)
        tighten(state, seconds, frame_ns)
        state.smooth = x
        state.sum += x
        state.count += 1.0
        state.last = time[row]
