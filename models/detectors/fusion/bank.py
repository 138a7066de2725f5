"""The default detector: nothing has to be set. Its bank and parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from models.alert import Moment, Reason
from models.detectors.bank import Columns, Judged, PackedBank, Trait, number
from models.detectors.fusion.blend import settle_blend
from models.detectors.fusion.day import VISIT_NS
from models.detectors.fusion.kernel import score_default
from models.detectors.fusion.record import FIELDS, PARTS, SHAPE, SHAPES, TIMES, VIEWS
from models.detectors.fusion.shapes import FEWEST, NEIGHBOURS
from models.detectors.fusion.views import view_of
from models.detectors.parameters import Parameters, parameter
from models.detectors.plausibility import EVIDENCE, PLAUSIBILITY_TIMES, begin_plausibility
from models.detectors.rows import NEVER, SECOND
from models.readings import Bytes, Floats

CODES = ("unlike_day", "level_moved", "new_shape", "new_extreme")  # in the order of the parts
_SMALLEST_SHARE = 0.1  # a part with less of the evidence is not named


class DefaultParameters(Parameters):
    """What is known of a channel's kind and unit does the rest, see `views`."""

    warmup_s: float = parameter(
        3600.0,
        title="Warm-up",
        zh="预热时长",
        unit="s",
        ge=0,
        le=90 * 86400,
        text="Time of readings to learn from before anything is scored; half a hundred readings at least.",
        text_zh="开始评分前需要学习的读数时长；至少五十个读数。",
    )
    frame_s: float = parameter(
        60.0,
        title="Frame",
        zh="帧长",
        unit="s",
        ge=1,
        le=86400,
        text="Readings are drawn together over this time before shapes and levels are compared.",
        text_zh="比较形状与水平前，先按此时长合并读数。",
    )
    smooth_s: float = parameter(
        0.0,
        title="Smoothing",
        zh="平滑时长",
        unit="s",
        ge=0,
        le=7 * 86400,
        text="Readings are smoothed over this time first, to see what is slow; 0: not at all.",
        text_zh="先按此时长平滑读数，以便看出缓慢的变化；0 表示不平滑。",
    )


class DefaultBank(PackedBank[DefaultParameters]):
    """Four parts and their blend, behind the stage that tells faults apart: about 24 KB a channel."""

    name = "default"
    dtype = np.dtype(FIELDS)
    times = TIMES
    keeps_moments = True
    evidence = tuple(f"plausibility.{field}" for field in EVIDENCE)

    def _begin(self, traits: Sequence[Trait]) -> None:
        views = [view_of(trait.kind, trait.unit) for trait in traits]
        self.state["side"] = [view.side for view in views]
        self.state["floor"] = [view.floor for view in views]
        self.state["sketch"]["due"] = 16
        for blend in self.state["blend"]:
            settle_blend(blend)
        for field in PLAUSIBILITY_TIMES:
            self.state["plausibility"][field] = NEVER
        begin_plausibility(self.state["plausibility"], traits)
        self._views = tuple(self.state[field] for field in VIEWS)
        given = self.parameters
        self._given = (round(given.frame_s * SECOND), given.smooth_s, given.warmup_s)

    def _run(self, columns: Columns, table: Floats, flags: Bytes) -> None:
        frame_ns, smooth, warmup = self._given
        frames, season, visits, shapes, newest, ended, closings, sketches, blends, doubts = self._views
        past = (shapes, newest, ended, closings)
        kept = (self.state, frames, season, visits, *past, sketches, blends, doubts)
        score_default(*kept, self._slots, self._base, *columns, frame_ns, smooth, warmup, table, flags)

    def shift(self, delta_ns: int) -> None:
        super().shift(delta_ns)
        for field in PLAUSIBILITY_TIMES:
            column = self.state["plausibility"][field]
            column[column != NEVER] += delta_ns
        self.state["frame"] += round(delta_ns / self._given[0])
        self.state["visit"] += round(delta_ns / VISIT_NS)

    def moments(self, slot: int, time_ns: int) -> tuple[Moment, ...]:
        """The three shapes that count as the nearest; what is usual is their mean distance."""
        state = self.state[slot]
        stored, newest = min(int(state["stored"]), SHAPES), state["newest"]
        if state["last"] != time_ns or stored < FEWEST or np.isnan(newest[0]):
            return ()
        apart = ((state["shapes"][:, :stored] - newest[:, None]) ** 2).sum(axis=0)
        nearest = np.argsort(apart, kind="stable")[:NEIGHBOURS]
        usual = float(state["usual"][SHAPE])
        return tuple(
            Moment(at=int(state["ended"][place]), distance=float(apart[place]) ** 0.5, usual=usual or None)
            for place in nearest.tolist()
        )

    def explain(self, judged: Judged) -> tuple[Reason, ...]:
        shares = _shares(judged.detail)
        said = sorted(range(PARTS), key=lambda part: -shares[part])
        parameters = {
            "value": number(judged.value),
            "expected": number(judged.expected),
            "lower": number(judged.lower),
            "upper": number(judged.upper),
            "surprise": round(judged.score, 3),
            "extrapolated": int(judged.extrapolated),
        }
        return tuple(
            Reason(code=CODES[part], parameters=parameters, share=shares[part])
            for place, part in enumerate(said)
            if place == 0 or shares[part] >= _SMALLEST_SHARE
        )


def _shares(detail: float) -> list[float]:
    """Share of each part, adding up to 1; all the first one's where nothing is told."""
    packed = int(detail) if math.isfinite(detail) else 0
    parts = [packed >> (6 * part) & 63 for part in range(PARTS)]
    total = sum(parts)
    return [round(part / total, 3) for part in parts] if total else [1.0] + [0.0] * (PARTS - 1)
