"""Season: unlike this half hour of such a day, after where the channel stands and where it is going."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.alert import Reason
from models.compile import kernel
from models.detectors.bank import Columns, Judged, PackedBank, Trait
from models.detectors.calendar import HALF_HOUR_NS, CalendarParameters
from models.detectors.learned import LEVEL, LearnedParameters, begin_learned, unexpected
from models.detectors.parameters import parameter
from models.detectors.passes import STRETCH, divide, draw, judge_rows, place
from models.detectors.rows import SECOND
from models.detectors.season_kernels import PATTERN, PRESENT, follow_season
from models.detectors.surprise import SKETCH
from models.readings import Bytes, Floats, Int64s


class SeasonParameters(LearnedParameters, CalendarParameters):
    """Three kinds of day, and a level with a slope that follow slower weather.

    >>> SeasonParameters(holidays=("2026-10-01",), worked=("2026-10-10",)).calendar
    (array([20727]), array([20736]))
    """

    warmup_s: float = parameter(
        7 * 86400.0,
        title="Warm-up",
        zh="预热时长",
        unit="s",
        ge=86400,
        le=90 * 86400,
        text="Time of readings to learn from before anything is scored; a week shows every kind of day once.",
        text_zh="开始评分前需要学习的读数时长；一周可让每类日子各出现一次。",
    )
    days: float = parameter(
        14.0,
        title="Days remembered",
        zh="记忆天数",
        unit="d",
        ge=1,
        le=366,
        text="How many days of a kind its pattern is averaged over.",
        text_zh="每类日子的日内规律取多少天的平均。",
    )
    level_tau_s: float = parameter(
        14400.0,
        title="Level's time constant",
        zh="水平时间常数",
        unit="s",
        ge=0,
        le=30 * 86400,
        text="How fast the level follows days that are higher or lower as a whole; 0: not at all.",
        text_zh="整体偏高或偏低的日子里水平跟随的快慢；0 表示不跟随。",
    )
    slope_tau_s: float = parameter(
        2 * 86400.0,
        title="Slope's time constant",
        zh="趋势时间常数",
        unit="s",
        ge=0,
        le=30 * 86400,
        text="How long a rise or fall of the level is taken to go on; 0: the level has no slope.",
        text_zh="水平的升降预计会持续多久；0 表示不考虑趋势。",
    )


@kernel
def score_season(
    states: NDArray[Any],
    slots: NDArray[np.int32],
    base: int,
    channel: NDArray[np.int32],
    time: NDArray[np.int64],
    value: Floats,
    quality: Bytes,
    offset: int,
    off: Int64s,
    worked: Int64s,
    days: float,
    tau: float,
    damping: float,
    warmup: float,
    memory: float,
    sign: int,
    out: Floats,
    flags: Bytes,
) -> None:
    """Surprise of the distance from season + level + slope. Without a trusted clock there is no hour."""
    rows = (channel, time, value, quality)
    day = (offset, off, worked)
    for begin in range(0, channel.shape[0], STRETCH):
        end = min(begin + STRETCH, channel.shape[0])
        follow_season(states, slots, base, *rows, *day, days, tau, damping, warmup, out, flags, begin, end)
        divide(sign, out, begin, end)
        place(out, begin, end)
        judge_rows(states, slots, base, channel, memory, 0.0, out, flags, begin, end)
        draw(sign, out, begin, end)


class SeasonBank(PackedBank[SeasonParameters]):
    """Level and sketch as the others, and three times 48 half hours: 2.3 KB a channel.

    The state-space form of Winters 1960 with a damped slope (Hyndman, Koehler, Ord and Snyder 2008), in
    continuous time, so that readings may come when they like.
    """

    name = "season"
    dtype = np.dtype([*PRESENT, *LEVEL, *SKETCH, *PATTERN])

    def _begin(self, traits: Sequence[Trait]) -> None:
        begin_learned(self.state, traits)
        given = self.parameters
        damping = given.slope_tau_s if given.level_tau_s > 0.0 else 0.0
        day = (given.utc_offset_s * SECOND, *given.calendar, given.days)
        self._given = (*day, given.level_tau_s, damping, given.warmup_s, given.memory_s, given.sign)

    def _run(self, columns: Columns, table: Floats, flags: Bytes) -> None:
        offset, off, worked, days, tau, damping, warmup, memory, sign = self._given
        score_season(
            self.state,
            self._slots,
            self._base,
            *columns,
            offset,
            off,
            worked,
            days,
            tau,
            damping,
            warmup,
            memory,
            sign,
            table,
            flags,
        )

    def shift(self, delta_ns: int) -> None:
        super().shift(delta_ns)
        self.state["visit"] += round(delta_ns / HALF_HOUR_NS)

    def _reason(self, judged: Judged) -> Reason:
        return unexpected(judged)
