"""Counts: more or fewer events than this half hour of such a day brings; doors, lifts, people counters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.alert import Reason
from models.detectors.bank import AdvanceScores, Columns, Judged, PackedBank, Trait
from models.detectors.calendar import HALF_HOUR_NS, CalendarParameters
from models.detectors.counts_kernels import EACH, ON, TOTAL, advance_counts, score_counts, unpacked
from models.detectors.counts_record import PARTS, RECORD
from models.detectors.gather import gather
from models.detectors.learned import LearnedParameters
from models.detectors.parameters import parameter
from models.detectors.rows import SECOND
from models.readings import Bytes, Floats

_MODES = {"each": EACH, "total": TOTAL, "on": ON}


class CountsParameters(LearnedParameters, CalendarParameters):
    """What a reading counts, and over how long events are counted together."""

    counting: str = parameter(
        "on",
        title="What a reading is",
        zh="读数含义",
        pattern="^(each|total|on)$",
        text="each: events since the last reading; total: a running total, which may begin anew; on: every "
        "change to a value above `active_above` is one event.",
        text_zh="each 为上次读数以来的次数；total 为累计总数，可能归零重计；on 表示每次升到 active_above "
        "之上计一次。",
    )
    active_above: float = parameter(
        0.5,
        title="Active above",
        zh="活动阈值",
        text="A reading above it is on: motion, an open door, a running lift.",
        text_zh="高于此值视为“开”：有人走动、门打开、电梯运行。",
    )
    wraps_at: float = parameter(
        0.0,
        title="Total wraps at",
        zh="累计上限",
        unit="events",
        ge=0,
        le=2.0**64,
        text="Where a running total goes on from 0, 65536 for 16 bits; 0: it only ever begins anew.",
        text_zh="累计总数到此值后从 0 继续，16 位计数器为 65536；0 表示只会归零重计。",
    )
    silence: str = parameter(
        "unknown",
        title="What silence means",
        zh="没有读数的含义",
        pattern="^(unknown|nothing)$",
        text="unknown: the device may be at fault, such time is left out (`absence` watches it); nothing: it "
        "speaks only when something happens, so that too few are noticed though no reading comes.",
        text_zh="unknown 表示设备可能有故障，这段时间不计（请用 absence 监视）；nothing 表示设备只在有事时"
        "上报，即使没有读数也能发现次数过少。",
    )
    window_s: float = parameter(
        3600.0,
        title="Window",
        zh="统计时长",
        unit="s",
        ge=600,
        le=86400,
        text="Events are counted over this time; rare ones need longer before too few can be told.",
        text_zh="在此时长内统计次数；事件越少，需要越长才能看出次数过少。",
    )
    warmup_s: float = parameter(
        7 * 86400.0,
        title="Warm-up",
        zh="预热时长",
        unit="s",
        ge=86400,
        le=90 * 86400,
        text="Time to learn from before anything is scored; a week shows every kind of day once.",
        text_zh="开始评分前需要学习的时长；一周可让每类日子各出现一次。",
    )
    days: float = parameter(
        14.0,
        title="Days remembered",
        zh="记忆天数",
        unit="d",
        ge=2,
        le=366,
        text="How many days of a kind their rate is averaged over.",
        text_zh="每类日子的次数取多少天的平均。",
    )


class CountsBank(PackedBank[CountsParameters]):
    """Rates of three times 48 half hours, the window's twelve parts and a sketch: 1.9 KB a channel.

    Gamma-Poisson as in Greenwood and Yule 1920. Where silence means that nothing happened, too few are
    judged by `advance` at the end of each part, a twelfth of the window.
    """

    name = "counts"
    dtype = np.dtype(RECORD)
    times = ("last", "to", "advanced")

    def _begin(self, traits: Sequence[Trait]) -> None:
        given = self.parameters
        self.state["due"] = 16
        self.needs_time = given.silence == "nothing"
        self._part_ns = round(given.window_s / PARTS) * SECOND
        day = (given.utc_offset_s * SECOND, self._part_ns, *given.calendar, given.days)
        judging = (given.warmup_s, self._part_ns * PARTS / SECOND, given.memory_s, given.sign)
        self._day, self._judging = day, judging

    def _run(self, columns: Columns, table: Floats, flags: Bytes) -> None:
        given = self.parameters
        mode, above, wrap = _MODES[given.counting], given.active_above, given.wraps_at
        score_counts(
            self.state,
            self._slots,
            self._base,
            *columns,
            mode,
            above,
            wrap,
            self.needs_time,
            self._day,
            self._judging,
            table,
            flags,
        )

    def advance(self, time_ns: int) -> AdvanceScores | None:
        if not self.needs_time:
            return None
        given = (time_ns, self._day, self._judging)
        return gather(lambda slot, at, table: advance_counts(self.state, *given, slot, at, table))

    def shift(self, delta_ns: int) -> None:
        super().shift(delta_ns)
        self.state["part"] += round(delta_ns / self._part_ns)
        self.state["visit"] += round(delta_ns / HALF_HOUR_NS)

    def _reason(self, judged: Judged) -> Reason:
        events, expected, few = unpacked(judged.detail)
        parameters: dict[str, float | int | str | None] = {
            "count": events,
            "expected": expected,
            "seconds": self._part_ns * PARTS / SECOND,
            "surprise": round(judged.score, 3),
            "extrapolated": int(judged.extrapolated),
        }
        if few:
            return Reason(code="too_few", parameters=parameters)
        return Reason(code="too_many", parameters=parameters)
