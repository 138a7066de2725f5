"""River used as its documentation does, one reading at a time, and the obvious way from it to a surprise."""

from __future__ import annotations

import math

from detector_twins import LevelTwin
from river import anomaly, neighbors
from twins_shapes import StrangenessTwin

FULL = {"window": 250, "trees": 10, "height": 8, "cuts": 50, "bins": 10, "neighbours": 10, "seed": 1}
ALONE = ("GaussianScorer", "StandardAbsoluteDeviation")


class RiverTwin(StrangenessTwin):
    """The living model and nothing stored; points are lists kept as they come."""

    def __init__(self, model, shingle=4, learn_every_s=60.0, warmup_s=86400.0, memory_s=1209600.0, **given):
        super().__init__(0.125, warmup_s, memory_s)
        self.name, self.given = model, FULL | given
        self.model, self.fewest = self.made(model, **self.given)
        self.wide = 1 if model in ALONE else shingle
        self.every, self.ground = round(learn_every_s * 1e9), LevelTwin(warmup_s, memory_s)
        self.recent, self.learned, self.teach_at, self.strange = [], 0, -math.inf, False

    def made(self, model, window, trees, height, cuts, bins, neighbours, seed):
        if model == "GaussianScorer":
            return anomaly.GaussianScorer(window_size=window, grace_period=2), 50
        if model == "StandardAbsoluteDeviation":
            return anomaly.StandardAbsoluteDeviation(), 50
        if model == "HalfSpaceTrees":
            return anomaly.HalfSpaceTrees(trees, height, window, seed=seed), window
        if model == "LODA":
            return anomaly.LODA(bins, cuts, seed=seed), 50
        engine = neighbors.LazySearch(window_size=window)
        return anomaly.LocalOutlierFactor(neighbours, engine), min(window, 2 * neighbours + 1)

    def asked(self, point):
        """What river is given: a target alone, or named features."""
        if self.name in ALONE:
            return None, point[0]
        if self.name == "HalfSpaceTrees":
            point = [(value + 8.0) * (1.0 / 16.0) for value in point]
        return ({f"v{back}": value for back, value in enumerate(point)},)

    def in_reach(self, value):
        away, scale = value - self.ground.mean, self.ground.scale
        if scale == 0:
            return 0.0 if away == 0 else math.copysign(8.0, away)
        return max(-8.0, min(8.0, away / scale))

    def score(self, time, value):
        if self.is_cut(time):
            self.recent = []
        learns = self.last is None or time > self.last
        step = self.step(time) if learns and self.last is not None else 0
        point, taught = [self.in_reach(value), *self.recent], self.ground.taught
        whole = len(point) == self.wide and taught >= 0.1 * self.warmup and taught > 0
        if learns:
            self.follow(value, step)
            self.recent = point[: self.wide - 1]
            self.last = time
        if not whole:
            return 0.0
        score = self.surprising(point, step if learns else None)
        waits = 16 * self.every if self.strange or score >= 3 else self.every
        if learns and time >= self.teach_at + waits:
            self.teach_at = time
            self.learned += 1
            self.model.learn_one(*self.asked(point))
        return score

    def follow(self, value, step):
        ground = self.ground
        if step == 0:
            ground.mean = value
            return
        settled = ground.taught >= 0.1 * self.warmup and ground.scale > 0
        ground.learn(value - ground.mean, ground.scale, step, self.memory, settled)
        ground.taught += step * 1e-9

    def surprising(self, point, step):
        if self.learned < self.fewest:
            return 0.0
        try:
            raw = self.model.score_one(*self.asked(point))
        except (ArithmeticError, ValueError, TypeError):
            return 0.0
        if not math.isfinite(raw):
            return 0.0
        if self.name in ("GaussianScorer", "HalfSpaceTrees"):
            raw = -math.log(max(1e-16, 1.0 - raw))
        score = self.judge(raw, None)
        if step is not None:
            self.strange = score >= 5 or (self.strange and score >= 3)
            self.judge(raw, step // 16 if self.strange else step)
        return score
