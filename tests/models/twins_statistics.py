"""Slow, obvious twins of robust, level shift, variance and slope: plain Python, lists, sorting."""

from __future__ import annotations

import itertools
import math

from detector_twins import EDGES, LevelTwin, f4

MEMORY_S = 14 * 86400.0


def distance_of_three(sketch):
    """The distance whose surprise is 3."""
    if sketch.seen == 0:
        return 0.0
    for k in range(1, 32):
        if sketch.edges[k] >= 3.0:
            low, high = sketch.edges[k - 1], sketch.edges[k]
            return f4(EDGES[k - 1] + (EDGES[k] - EDGES[k - 1]) * (3.0 - low) / (high - low))
    if math.isinf(sketch.spread):
        return EDGES[31]
    reach = (10.0 ** (sketch.shape * (3.0 - sketch.rarity)) - 1.0) / sketch.shape
    return f4(sketch.start + sketch.spread * reach)


def in_units(size, scale):
    if size == 0:
        return 0.0
    return min(1e6, size / scale) if scale > 0 else 1e6


def middle_mean(values, cut):
    kept = sorted(values)[cut : len(values) - cut]
    total = 0.0
    for value in kept:
        total += value
    return total / len(kept)


def median(values):
    """The middle one, or the mean of the two."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else 0.5 * ordered[half - 1] + 0.5 * ordered[half]


class WaryTwin(LevelTwin):
    strange = False

    def weigh(self, score, seconds):
        if score >= 5:
            self.strange = True
        elif score < 3:
            self.strange = False
        return seconds * 0.0625 if self.strange else seconds


class RobustTwin(WaryTwin):
    def __init__(self, window_s=86400.0, warmup_s=86400.0, memory_s=MEMORY_S):
        super().__init__(warmup_s, memory_s)
        self.window, self.memory = window_s, memory_s
        self.points, self.owed, self.usual = [], 0.0, 0.0

    def settle(self, gain):
        window = sorted(self.points[-63:])
        self.middle = window[len(window) // 2]
        half = sorted(abs(point - self.middle) for point in window)[len(window) // 2]
        if half == 0:
            half = 0.5 * min([b - a for a, b in itertools.pairwise(window) if b > a], default=0.0)
        if half == 0:
            self.half = self.usual
            return
        clipped = min(half, 5.0 * self.usual)
        self.usual = self.usual + gain * (clipped - self.usual) if self.usual > 0 else half
        self.half = max(half, 0.25 * self.usual)

    def score(self, time, value):
        if not self.points:
            self.points, self.last = [value], time
            self.settle(1.0)
            return 0.0
        distance = in_units(abs(value - self.middle), self.half)
        score = self.surprise(distance)
        if time > self.last:
            seconds = self.step(time) * 1e-9
            weight = self.weigh(score, seconds)
            if self.taught >= 0.25 * self.warmup:
                self.sketch.learn(distance, weight)
            self.taught += seconds
            self.owed += seconds
            self.last = time
            apart = min(self.window, self.taught) / 63
            if self.owed >= apart:
                self.points.append(value)
                self.settle(self.owed / min(self.memory, self.taught))
                self.owed = min(apart, self.owed - apart)
        return score


class BlocksTwin(WaryTwin):
    """Keeps every reading of the present block, and every block there was."""

    fewest = 1

    def __init__(self, length, warmup_s, memory_s):
        super().__init__(warmup_s, memory_s)
        self.length, self.remembered, self.clock = length, memory_s, 0.0
        self.rows, self.blocks, self.usual, self.told = [], [], {True: 0.0, False: 0.0}, 0.0
        self.judged, self.sides = 0.0, {True: 0.0, False: 0.0}

    def score(self, time, value):
        if self.last is None:
            self.last = time
        if time > self.last:
            self.clock += (time - self.last) * 1e-9
            seconds = self.step(time) * 1e-9
            self.last = time
            self.taught += seconds
            self.rows.append((seconds, self.clock, value))
            self.seconds = 0.0
            for row in self.rows:
                self.seconds += row[0]
            if self.seconds >= self.length and len(self.rows) >= self.fewest:
                self.memory = self.sketch.memory = max(self.remembered, 100.0 * self.seconds)
                self.close()
                self.rows = []
        return self.told

    def means(self):
        """Of the present block: its time and its value."""
        total = when = mean = 0.0
        for seconds, clock, value in self.rows:
            total += seconds
            when += seconds / total * (clock - when)
            mean += seconds / total * (value - mean)
        return when, mean

    def judge(self, size, floor=0.0):
        up = size > 0
        scale = max(self.usual[up], 0.25 * self.usual[not up], floor)
        distance = in_units(abs(size), scale)
        self.told = self.surprise(distance)
        weight, bound = self.weigh(self.told, self.seconds), math.inf
        self.judged += self.seconds
        if self.judged >= 0.5 * self.warmup:
            self.sketch.learn(distance, weight)
            bound = max(5.0, distance_of_three(self.sketch)) * scale if scale > 0 else math.inf
        if size != 0:
            self.sides[up] += weight
            gain = weight / min(self.memory, max(self.sides[up], 0.25 * self.judged))
            self.usual[up] += gain * (min(abs(size), bound) - self.usual[up])

    def taught_by(self):
        return 0.0625 * self.seconds if self.strange else self.seconds


class LevelShiftTwin(BlocksTwin):
    """Blocks go from the list of recent ones to the list of those before."""

    def __init__(self, window_s=3600.0, warmup_s=86400.0, memory_s=MEMORY_S):
        super().__init__(window_s / 5, warmup_s, memory_s)
        self.before, self.owed = [], 0.0

    def close(self):
        self.blocks.append(self.means()[1])
        if len(self.blocks) > 5:
            self.owed += 0.5 if self.strange else 1.0
            if self.owed >= 1.0:
                self.owed -= 1.0
                self.before.append(self.blocks[-6])
        if len(self.blocks) >= 20:
            self.judge(middle_mean(self.blocks[-5:], 2) - middle_mean(self.before[-15:], 3))


class VarianceTwin(BlocksTwin):
    fewest = 4

    def __init__(self, window_s=3600.0, warmup_s=86400.0, memory_s=MEMORY_S):
        super().__init__(window_s / 8, warmup_s, memory_s)
        self.variance, self.centre = 0.0, 0.0

    def about_line(self):
        total = when = mean = xx = xt = tt = 0.0
        for seconds, clock, value in self.rows:
            total += seconds
            share, x, t = seconds / total, value - mean, clock - when
            left = share * total * (1.0 - share)
            xx, xt, tt = xx + left * x * x, xt + left * x * t, tt + left * t * t
            mean, when = mean + share * x, when + share * t
        return (
            max(0.0, xx - (xt / tt * xt if tt > 0 else 0.0)) / total * len(self.rows) / (len(self.rows) - 2)
        )

    def close(self):
        variance = self.about_line()
        self.blocks.append(math.log(variance + max(1e-280, 0.01 * self.variance)))
        if len(self.blocks) >= 8:
            present = middle_mean(self.blocks[-8:], 2)
            if len(self.blocks) == 8:
                self.centre = present
            size = present - self.centre
            self.judge(size, 0.1)
            self.centre += self.taught_by() / min(self.memory, self.judged) * size
        settled = self.taught >= 0.25 * self.warmup and self.variance > 0
        bound = 25.0 * self.variance if settled else math.inf
        gain = self.taught_by() / min(self.memory, self.taught)
        self.variance += gain * (min(variance, bound) - self.variance)


class SlopeTwin(BlocksTwin):
    def __init__(self, window_s=10800.0, warmup_s=86400.0, memory_s=MEMORY_S):
        super().__init__(window_s / 8, warmup_s, memory_s)

    def close(self):
        self.blocks.append(self.means())
        if len(self.blocks) >= 8:
            pairs = itertools.combinations(self.blocks[-8:], 2)
            self.judge(median([(after[1] - at[1]) / (after[0] - at[0]) for at, after in pairs]))
