"""River's detectors that look at the newest reading alone: GaussianScorer, StandardAbsoluteDeviation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from models.detectors.river.adapter import Adapter, Fields, octaves, require

_FEWEST = 50


class GaussianAdapter(Adapter):
    """GaussianScorer over a window: the count, mean and squares it keeps, and the readings of the window."""

    model = "GaussianScorer"
    wide = 1
    fewest = _FEWEST

    @property
    def live_bytes(self) -> int:
        return 10_000 + 205 * self.given.window

    def fields(self) -> Fields:
        return [("moments", np.float64, (3,)), ("kept", np.float64, (self.given.window,))]

    def make(self) -> Any:
        return self._class(window_size=self.given.window, grace_period=2)

    def raw(self, model: Any, point: Sequence[float]) -> float:
        return float(model.score_one(None, point[0]))

    def learn(self, model: Any, point: Sequence[float]) -> None:
        model.learn_one(None, point[0])

    def store(self, model: Any, record: Any) -> None:
        rolling = model.gaussian
        kept = [args[0] for args, _ in rolling.window]
        record["moments"] = moments_of(rolling.obj._var)
        record["kept"] = 0.0
        record["kept"][: len(kept)] = kept

    def load(self, record: Any) -> Any:
        count = float(record["moments"][0])
        require(count.is_integer() and 0 < count <= self.given.window, "readings of a window")
        model = self.make()
        set_moments(model.gaussian.obj._var, record["moments"])
        model.gaussian.window.extend(((value,), {}) for value in record["kept"][: int(count)].tolist())
        return model

    def strangeness(self, raw: float) -> float:
        return octaves(raw)


class DeviationAdapter(Adapter):
    """StandardAbsoluteDeviation over all readings: count, mean and squares, and the mean it subtracts."""

    model = "StandardAbsoluteDeviation"
    wide = 1
    fewest = _FEWEST
    live_bytes = 8000

    def fields(self) -> Fields:
        return [("moments", np.float64, (3,)), ("subtracted", np.float64, (2,))]

    def make(self) -> Any:
        return self._class()

    def raw(self, model: Any, point: Sequence[float]) -> float:
        return float(model.score_one(None, point[0]))

    def learn(self, model: Any, point: Sequence[float]) -> None:
        model.learn_one(None, point[0])

    def store(self, model: Any, record: Any) -> None:
        record["moments"] = moments_of(model.variance)
        record["subtracted"] = model.sub_stat.n, model.sub_stat._mean

    def load(self, record: Any) -> Any:
        require(float(record["moments"][0]) > 0.0, "a count")
        model = self.make()
        set_moments(model.variance, record["moments"])
        model.sub_stat.n, model.sub_stat._mean = record["subtracted"].tolist()
        return model


def moments_of(variance: Any) -> tuple[float, float, float]:
    """Count, mean and sum of squares of river's running variance."""
    return variance.mean.n, variance.mean._mean, variance._S


def set_moments(variance: Any, moments: Any) -> None:
    """Set what `moments_of` gave; ValueError where a moment is no number."""
    require(bool(np.isfinite(moments).all()), "moments")
    variance.mean.n, variance.mean._mean, variance._S = moments.tolist()
