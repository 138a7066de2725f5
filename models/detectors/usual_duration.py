"""Usual duration: a state that lasts longer than it usually does, begun at such a time of day."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.alert import Reason
from models.detectors.bank import AdvanceScores, Columns, Judged, PackedBank, Trait, number
from models.detectors.gather import gather
from models.detectors.parameters import Parameters, parameter, utc_offset
from models.detectors.rows import SECOND
from models.detectors.usual_duration_kernels import (
    RECORD,
    TIMES,
    advance_usual_duration,
    score_usual_duration,
)
from models.readings import Bytes, Floats

_WATCHED = {"off": 1, "on": 2, "both": 3}


class UsualDurationParameters(Parameters):
    """Which state, and what is a change of it. The last reading stands until another comes."""

    active_above: float = parameter(
        0.5,
        title="Active above",
        zh="活动阈值",
        text="A reading above it is the state on: open, running, occupied.",
        text_zh="高于此值视为“开”：打开、运行、有人。",
    )
    watched: str = parameter(
        "on",
        title="Watched state",
        zh="监视的状态",
        pattern="^(on|off|both)$",
        text="Which state must not last unusually long: on, off or both.",
        text_zh="哪个状态不应持续过久：on 开、off 关、both 两者。",
    )
    shortest_s: float = parameter(
        0.0,
        title="Shortest change",
        zh="最短变化",
        unit="s",
        ge=0,
        le=86400,
        text="A change that is undone sooner is none: somebody turning over in bed, a contact that bounces.",
        text_zh="短于此时长又恢复的变化不算：如翻身、触点抖动。",
    )
    least_s: float = parameter(
        0.0,
        title="Least duration told",
        zh="最短告警时长",
        unit="s",
        ge=0,
        le=30 * 86400,
        text="A state that has not lasted so long is never told, however unusual: nobody would come for it.",
        text_zh="状态持续未达此时长时，无论多不寻常都不告警：没有人会为此上门。",
    )
    warmup_s: float = parameter(
        3 * 86400.0,
        title="Warm-up",
        zh="预热时长",
        unit="s",
        ge=0,
        le=90 * 86400,
        text="Time of readings to learn from before anything is scored; fifty durations at least.",
        text_zh="开始评分前需要学习的读数时长；至少五十段。",
    )
    utc_offset_s: int = utc_offset()


class UsualDurationBank(PackedBank[UsualDurationParameters]):
    """Usual durations of both states by eight times of day, and a sketch for each: 1.2 KB a channel.

    Judged on whole seconds of event time. Survival analysis's question (Cox and Oakes 1984): how rarely has
    what began so lasted so long?
    """

    name = "usual_duration"
    dtype = np.dtype(RECORD)
    times = TIMES
    needs_time = True

    def _begin(self, traits: Sequence[Trait]) -> None:
        self.state["sketch"]["due"] = 16
        self._sketches = self.state["sketch"]
        given = self.parameters
        shortest, offset = round(given.shortest_s * SECOND), given.utc_offset_s * SECOND
        watched = _WATCHED[given.watched]
        self._given = (given.active_above, shortest, offset, given.warmup_s, watched, given.least_s)

    def _run(self, columns: Columns, table: Floats, flags: Bytes) -> None:
        score_usual_duration(
            self.state, self._sketches, self._slots, self._base, *columns, self._given, table, flags
        )

    def advance(self, time_ns: int) -> AdvanceScores | None:
        kept = (self.state, self._sketches)
        return gather(
            lambda slot, at, table: advance_usual_duration(*kept, time_ns, self._given, slot, at, table)
        )

    def _reason(self, judged: Judged) -> Reason:
        return Reason(
            code="lasted",
            parameters={
                "state": float(judged.value > self.parameters.active_above),
                "seconds": number(judged.detail),
                "surprise": round(judged.score, 3),
                "extrapolated": int(judged.extrapolated),
            },
        )
