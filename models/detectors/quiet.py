"""Quiet: nothing happens for longer than this channel's own day lets expect; somebody who did not get up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.alert import Reason
from models.compile import kernel
from models.detectors.bank import Columns, Judged, PackedBank, Trait, number
from models.detectors.learned import NANO, step_of
from models.detectors.parameters import Parameters, parameter, utc_offset
from models.detectors.rows import (
    CLOCK_UNTRUSTED,
    EXTRAPOLATED,
    JUDGED,
    NEVER,
    SECOND,
    SUSPECT,
    WARMING,
    clear,
    slot_of,
)
from models.detectors.surprise import (
    CAP,
    RECORD_S,
    SKETCH,
    beyond_record,
    bin_of,
    learn_distance,
    surprise_of,
)
from models.readings import Bytes, Floats

BUCKETS = 48
VISIT_NS = 86400 * SECOND // BUCKETS
_SILENCES = 2000.0  # how many silences are remembered
_CLIP = 5.0
_PER_VISIT = NANO * BUCKETS / 86400.0


class QuietParameters(Parameters):
    """Silence is measured in what should have happened meanwhile: nights weigh little, busy hours much."""

    active_above: float = parameter(
        0.5,
        title="Active above",
        zh="活动阈值",
        text="A reading above it is a sign of life: motion, an opened door, a running tap.",
        text_zh="高于此值视为有活动：有人走动、开门、用水。",
    )
    apart_s: float = parameter(
        900.0,
        title="Apart",
        zh="间隔",
        unit="s",
        ge=0,
        le=86400,
        text="Signs of life closer together than this count as one.",
        text_zh="间隔小于此时长的活动视为一次。",
    )
    confirm_s: float = parameter(
        0.0,
        title="Confirmed within",
        zh="确认时限",
        unit="s",
        ge=0,
        le=86400,
        text="A sign ends a silence only if another follows within this time: an arm that moves on the "
        "floor, a curtain in the sun come alone; 0: every sign counts.",
        text_zh="静默中的活动须在此时长内再有一次才算数：倒地者抬手、窗帘晃动往往只有一次；0 表示每次都算。",
    )
    warmup_s: float = parameter(
        3 * 86400.0,
        title="Warm-up",
        zh="预热时长",
        unit="s",
        ge=86400,
        le=90 * 86400,
        text="Time of readings to learn from before anything is scored; fifty silences at least.",
        text_zh="开始评分前需要学习的读数时长；至少五十段静默。",
    )
    days: float = parameter(
        14.0,
        title="Days remembered",
        zh="记忆天数",
        unit="d",
        ge=2,
        le=366,
        text="How many days the pattern of the day is averaged over.",
        text_zh="日内规律取多少天的平均。",
    )
    utc_offset_s: int = utc_offset()


HEAD: list[Any] = [
    ("since", "i8"),  # the last sign of life
    ("last", "i8"),
    ("alone", "i8"),  # a sign that no other has confirmed yet
    ("pace", "i8"),
    ("taught", "f8"),
    ("missed", "f8"),  # signs of life that should have come since the last one
    ("usual", "f8"),  # of these, at the end of a silence
    ("silences", "f8"),
    ("longest", "f8"),  # seconds of the longest silence of late
    ("visit", "i8"),  # half hours since 1970, local, of the present visit
    ("signs", "f8"),  # that began in it
    ("often", "f8"),  # signs a visit, over the whole day
    ("rate", "f8"),  # signs a visit that this half hour lets expect
]


@kernel
def enter(
    state: Any, counts: NDArray[np.float32], visits: NDArray[np.float32], visit: int, days: float
) -> None:
    """Close the present visit, begin another; what is not known of a half hour is taken from the day."""
    place = state.visit % BUCKETS
    visits[place] = min(days, visits[place] + 1.0)
    gain = 1.0 / visits[place]
    counts[place] += gain * (state.signs - counts[place])
    state.often += (state.signs - state.often) / (BUCKETS * days)
    state.visit = visit
    state.signs = 0.0
    here = visit % BUCKETS
    state.rate = (np.float64(counts[here]) * visits[here] + state.often) / (visits[here] + 1.0)


@kernel
def learn_silence(state: Any, sketch: Any, seconds: float) -> None:
    """A silence is over: how long it was, how much had been missed by then."""
    state.longest = max(seconds, state.longest * math.exp(-seconds / RECORD_S))
    missed = state.missed
    if state.usual > 0.0:
        learn_distance(sketch, bin_of(missed / state.usual), 1.0, _SILENCES)
        missed = min(missed, _CLIP * state.usual)
    state.silences = min(_SILENCES, state.silences + 1.0)
    state.usual += (missed - state.usual) / state.silences


@kernel
def surprise_of_silence(state: Any, sketch: Any, seconds: float) -> float:
    """Surprise of what was missed, and more where the silence is longer than any of late."""
    distance = state.missed / state.usual
    surprise = surprise_of(sketch, distance, bin_of(distance))
    if seconds > state.longest > 0.0:
        surprise += beyond_record(seconds, state.longest)
    return float(min(CAP, surprise))


@kernel
def is_life(state: Any, time: int, apart: int, confirm: int) -> bool:
    """Whether a sign at `time` says that somebody is about; one alone in a silence does not yet."""
    confirmed = state.alone != NEVER and time - state.alone <= confirm
    if confirm == 0 or time - state.since < apart or confirmed:
        state.alone = NEVER
        return True
    state.alone = time
    return False


@kernel
def score_quiet(
    states: NDArray[Any],
    counts: NDArray[np.float32],
    visits: NDArray[np.float32],
    sketches: NDArray[Any],
    slots: NDArray[np.int32],
    base: int,
    channel: NDArray[np.int32],
    time: NDArray[np.int64],
    value: Floats,
    quality: Bytes,
    above: float,
    apart: int,
    confirm: int,
    warmup: float,
    days: float,
    offset: int,
    out: Floats,
    flags: Bytes,
) -> None:
    """Surprise of what was missed so far, 0 while there is life. Suspect and late rows change nothing."""
    for row in range(channel.shape[0]):
        clear(out, flags, row)
        slot = slot_of(slots, base, channel[row], value[row], quality[row])
        if slot < 0:
            continue
        flags[row] = JUDGED | WARMING
        state, sketch = states[slot], sketches[slot]
        visit = (time[row] + offset) // VISIT_NS
        if quality[row] & (SUSPECT | CLOCK_UNTRUSTED) or time[row] <= state.last:
            continue
        if state.last == NEVER:
            state.since = time[row]
            state.last = time[row]
            state.visit = visit
            continue
        seconds = step_of(state, time[row]) * NANO
        state.last = time[row]
        state.taught += seconds
        if visit != state.visit:
            enter(state, counts[slot], visits[slot], visit, days)
        state.missed += seconds / NANO * _PER_VISIT * state.rate
        warm = state.taught >= warmup and sketch.known > 0.0
        flags[row] = JUDGED if warm else JUDGED | WARMING
        if value[row] > above and is_life(state, time[row], apart, confirm):
            if time[row] - state.since >= apart:
                state.signs += 1.0
                learn_silence(state, sketch, (time[row] - state.since) * NANO)
            state.missed = 0.0
            state.since = time[row]
            continue
        silent = (time[row] - state.since) * NANO
        out[4, row] = silent
        if warm and state.usual > 0.0:
            out[0, row] = surprise_of_silence(state, sketch, silent)
            if out[0, row] > sketch.known:
                flags[row] |= EXTRAPOLATED


class QuietBank(PackedBank[QuietParameters]):
    """The day's signs of life by half hours, and a sketch of silences."""

    name = "quiet"
    dtype = np.dtype(
        [*HEAD, ("counts", "f4", (BUCKETS,)), ("visits", "f4", (BUCKETS,)), ("sketch", np.dtype(SKETCH))]
    )
    times = ("last", "since", "alone")

    def _begin(self, traits: Sequence[Trait]) -> None:
        self.state["sketch"]["due"] = 16
        self._views = tuple(self.state[field] for field in ("counts", "visits", "sketch"))
        given = self.parameters
        self._given = (
            given.active_above,
            round(given.apart_s * SECOND),
            round(given.confirm_s * SECOND),
            given.warmup_s,
            given.days,
            given.utc_offset_s * SECOND,
        )

    def _run(self, columns: Columns, table: Floats, flags: Bytes) -> None:
        counts, visits, sketches = self._views
        above, apart, confirm, warmup, days, offset = self._given
        kept = (self.state, counts, visits, sketches, self._slots, self._base)
        score_quiet(*kept, *columns, above, apart, confirm, warmup, days, offset, table, flags)

    def shift(self, delta_ns: int) -> None:
        super().shift(delta_ns)
        self.state["visit"] += round(delta_ns / VISIT_NS)

    def _reason(self, judged: Judged) -> Reason:
        surprise = round(judged.score, 3)
        return Reason(code="too_quiet", parameters={"seconds": number(judged.detail), "surprise": surprise})
