"""Slow, obvious twins of the kernels: one channel, one reading at a time, plain Python.

Each has `score(time_ns, value) -> float`, and where time matters `advance(time_ns) -> float | None`.
"""

from __future__ import annotations

import math

import numpy as np

SECOND = 1_000_000_000


class LimitTwin:
    def __init__(self, low=-math.inf, high=math.inf):
        self.low, self.high = low, high

    def score(self, time, value):
        return 0.0 if self.low <= value <= self.high else 10.0


class RateTwin:
    """Keeps every reading it may need: anchors a quarter window apart."""

    def __init__(self, rise_per_s=math.inf, fall_per_s=math.inf, window_s=60.0):
        self.rise, self.fall, self.window = rise_per_s, fall_per_s, round(window_s * SECOND)
        self.anchors = []

    def score(self, time, value):
        while len(self.anchors) >= 2 and time - self.anchors[1][0] >= self.window:
            self.anchors.pop(0)
        score = 0.0
        if self.anchors and time - self.anchors[0][0] >= self.window:
            per_s = (value - self.anchors[0][1]) / ((time - self.anchors[0][0]) / SECOND)
            score = 10.0 if per_s > self.rise or -per_s > self.fall else 0.0
        if not self.anchors or time - self.anchors[-1][0] >= self.window // 4:
            self.anchors.append((time, value))
            if len(self.anchors) > 6:
                self.anchors.pop(0)
        return score


class FlatLineTwin:
    """Looks back over all readings."""

    def __init__(self, for_s=3600.0, tolerance=0.0):
        self.held, self.tolerance, self.run = round(for_s * SECOND), tolerance, []

    def score(self, time, value):
        if self.run and abs(value - self.run[0][1]) > self.tolerance:
            self.run = []
        self.run.append((time, value))
        return 10.0 if len(self.run) >= 3 and time - self.run[0][0] >= self.held else 0.0


class HeldTwin:
    """Dwell and state duration: `holds(value)` for `held_s`, judged second by second."""

    def __init__(self, holds, held_s):
        self.holds, self.held = holds, round(held_s * SECOND)
        self.since, self.judged = None, False

    def score(self, time, value):
        if not self.holds(value):
            self.since, self.judged = None, False
        elif self.since is None:
            self.since = time
        return 10.0 if self.judged else 0.0

    def advance(self, time):
        if self.since is not None and not self.judged and time - self.since >= self.held:
            self.judged = True
            return 10.0
        return None


class AbsenceTwin:
    def __init__(self, after_s=90.0):
        self.after, self.last, self.silent = round(after_s * SECOND), None, False

    def score(self, time, value):
        self.last = time if self.last is None else max(self.last, time)
        self.silent = False
        return 0.0

    def advance(self, time):
        if self.last is None:
            self.last = time
        if not self.silent and time - self.last >= self.after:
            self.silent = True
            return 10.0
        return None


EDGES = [0.0] + [0.25 * 2.0 ** (k // 4) * (1 + (k % 4) / 4) for k in range(31)]


def f4(number):
    return float(np.float32(number))


def log10(number):
    return (1.0 / math.log(10.0)) * math.log(number)


class SurpriseTwin:
    """The sketch with lists and a search instead of bits."""

    def __init__(self, memory):
        self.memory, self.counts = memory, [0.0] * 32
        self.total = self.seen = 0.0
        self.fresh, self.edges = 0, [0.0] * 32
        self.start = self.rarity = self.shape = self.spread = 0.0

    def bin(self, distance):
        return max(k for k in range(32) if EDGES[k] <= distance)

    def learn(self, distance, weight):
        self.counts[self.bin(distance)] += weight
        self.fresh += 1
        if self.fresh >= max(16, int(min(self.seen, 4096.0) / 8)):
            self.refresh()

    def refresh(self):
        grown = 0.0
        for count in self.counts:  # one after the other, as the kernel adds them
            grown += count
        kept = math.exp((self.total - grown) / self.memory)
        self.seen = (self.seen + self.fresh) * kept
        self.fresh = 0
        self.counts = [count * kept for count in self.counts]
        self.total = 0.0
        for count in self.counts:
            self.total += count
        one = self.total / self.seen
        tails, tail = [0.0] * 32, 0.0
        for k in range(31, 0, -1):
            tail += self.counts[k]
            tails[k] = tail
        per_total = 1.0 / (self.total + one)
        self.edges = [0.0] + [f4(-log10((tails[k] + one) * per_total)) for k in range(1, 32)]
        start = max([k for k in range(1, 32) if tails[k] >= 20.0 * one], default=1)
        begin = max([k for k in range(1, 32) if tails[k] >= max(0.02 * self.total, 40.0 * one)], default=1)
        self.fit(begin, start)
        for k in range(start + 1, 32):
            claim = self.fitted(EDGES[k])
            self.edges[k] = f4(min(claim, self.edges[k]) if tails[k] >= 3.0 * one else claim)
        if self.counts[31] >= 3.0 * one:
            self.spread = math.inf
        for k in range(1, 32):
            self.edges[k] = max(self.edges[k], self.edges[k - 1])

    def fit(self, begin, start):
        weight = first = second = 0.0
        for k in range(begin, 32):
            top = EDGES[k + 1] if k < 31 else EDGES[k] * 1.3
            excess = 0.5 * (EDGES[k] + top) - EDGES[begin]
            weight += self.counts[k]
            first += self.counts[k] * excess
            second += self.counts[k] * excess * excess
        mean = first / weight if weight > 0 else 0.25 * EDGES[begin]
        variance = second / weight - mean * mean if weight > 0 else 0.0
        raw = 0.5 * (1.0 - mean * mean / variance) if variance > 0 else 0.0
        exceedances = weight * self.seen / self.total
        shape = min(0.45, max(0.02, (exceedances * raw + 5.0) / (exceedances + 50.0)))
        spread = max(mean * (1.0 - shape), 0.02 * EDGES[begin])
        self.start, self.rarity, self.shape = EDGES[start], self.edges[start], f4(shape)
        self.spread = f4(spread + shape * (EDGES[start] - EDGES[begin]))

    def fitted(self, distance):
        reach = (distance - self.start) / self.spread
        return self.rarity + log10(1.0 + self.shape * reach) / self.shape

    def of(self, distance):
        k = self.bin(distance)
        if k == 31:
            return min(9.9, max(self.edges[31], self.fitted(distance)))
        share = (distance - EDGES[k]) * (1.0 / (EDGES[k + 1] - EDGES[k]))
        return min(9.9, self.edges[k] + share * (self.edges[k + 1] - self.edges[k]))


class LevelTwin:
    """Mean, scale and pace; what EWMA, CUSUM and time of day share."""

    def __init__(self, warmup_s, memory_s):
        self.warmup, self.sketch = warmup_s, SurpriseTwin(memory_s)
        self.last, self.mean, self.scale, self.weight, self.taught, self.pace = None, 0.0, 0.0, 0.0, 0.0, 0
        self.rated = 0

    def step(self, time):
        step = min(time - self.last, 30 * 86400 * SECOND)
        self.pace = self.pace or step
        step = min(step, 8 * self.pace)
        self.pace += (step - self.pace) // 8
        return step

    def learn(self, residual, scale, step, tau, clip):
        seconds = step * 1e-9
        if abs(step - self.rated) > step // 64:
            self.rated, self.rate = step, 1.0 - math.exp(-seconds / tau)
        rate = self.rate
        self.weight += rate * (1.0 - self.weight)
        gain = rate / self.weight
        if self.weight > 1.0 - math.exp(-8.0):
            self.weight = 1.0
        bound = 5.0 * scale if clip else math.inf
        self.mean += gain * max(-bound, min(bound, residual))
        slow = rate / 8.0
        if self.taught / 8.0 < tau:
            slow = max(slow, seconds / (self.taught + seconds))
        self.scale += slow * (min(bound, abs(residual)) - self.scale)

    def surprise(self, distance):
        warm = self.taught >= self.warmup and self.sketch.seen >= 50
        return self.sketch.of(distance) if warm else 0.0


class EwmaTwin(LevelTwin):
    def __init__(self, tau_s=600.0, warmup_s=86400.0, memory_s=14 * 86400.0):
        super().__init__(warmup_s, memory_s)
        self.tau = tau_s

    def score(self, time, value):
        if self.last is None:
            self.mean, self.last = value, time
            return 0.0
        residual = value - self.mean
        distance = abs(residual) / self.scale if self.scale > 0 else 0.0
        score = self.surprise(distance)
        if time > self.last:
            step = self.step(time)
            settled = self.taught >= 0.25 * self.warmup
            if settled:
                self.sketch.learn(distance, step * 1e-9)
            self.learn(residual, self.scale, step, self.tau, settled)
            self.taught += step * 1e-9
            self.last = time
        return score


class CusumTwin(LevelTwin):
    def __init__(self, tau_s=21600.0, unit_s=60.0, slack=0.75, warmup_s=86400.0, memory_s=14 * 86400.0):
        super().__init__(warmup_s, memory_s)
        self.tau, self.unit, self.slack, self.up, self.down = tau_s, unit_s, slack, 0.0, 0.0

    def score(self, time, value):
        if self.last is None:
            self.mean, self.last = value, time
            return 0.0
        residual, scale = value - self.mean, self.scale
        settled, learns = self.taught >= 0.25 * self.warmup, time > self.last
        step = self.step(time) if learns else 0
        if learns and settled and scale > 0:
            share = min(1.0, step * 1e-9 * (1.0 / self.unit))
            bounded = max(-4.0, min(4.0, residual / scale))
            self.up = min(60.0, max(0.0, self.up + share * (bounded - self.slack)))
            self.down = min(60.0, max(0.0, self.down + share * (-bounded - self.slack)))
        distance = max(self.up, self.down)
        score = self.surprise(distance)
        if learns:
            if settled:
                self.sketch.learn(distance, step * 1e-9)
            self.learn(residual, scale, step, self.tau, settled)
            self.taught += step * 1e-9
            self.last = time
        return score


class TimeOfDayTwin(LevelTwin):
    """Keeps the present half hour's readings as a list and folds them at its end."""

    def __init__(
        self, utc_offset_s=0, days=14.0, level_tau_s=14400.0, warmup_s=259200.0, memory_s=14 * 86400.0
    ):
        super().__init__(warmup_s, memory_s)
        self.offset, self.days, self.tau = utc_offset_s * SECOND, days, level_tau_s
        self.season, self.usual, self.visits = [0.0] * 48, [0.0] * 48, [0.0] * 48
        self.anchor, self.visit, self.rows = 0.0, 0, []

    def fold(self):
        if self.rows:
            place = self.visit % 48
            weight = values = judged = distances = 0.0
            for seconds, value, distance in self.rows:
                weight += seconds
                values += seconds * value
                if distance is not None:
                    judged += seconds
                    distances += seconds * distance
            share, old = min(1.0, weight / 1800), self.visits[place] >= 2.0
            self.visits[place] = f4(min(self.days, self.visits[place] + share))
            gain = share / self.visits[place]
            change = values / weight - self.season[place]
            if old:
                bound = 5.0 * max(self.usual[place], 0.25 * self.scale)
                change = max(-bound, min(bound, change))
            self.season[place] = f4(self.season[place] + gain * change)
            if judged > 0:
                distance, known = distances / judged, self.usual[place]
                self.usual[place] = f4(distance if known == 0 else known + gain * (distance - known))
        self.rows = []

    def season_at(self, visit, phase):
        place = visit % 48
        other = (place + (1 if phase >= 0.5 else -1)) % 48
        if self.visits[place] <= 0:
            return None
        if self.visits[other] <= 0:
            return self.season[place]
        return self.season[place] + abs(phase - 0.5) * (self.season[other] - self.season[place])

    def score(self, time, value):
        length = 1800 * SECOND
        visit = (time + self.offset) // length
        if self.last is None:
            self.anchor, self.last, self.visit = value, time, visit
            return 0.0
        learns = time > self.last
        if learns and visit != self.visit:
            self.fold()
            self.visit = visit
        season = self.season_at(visit, (time + self.offset - visit * length) * (1.0 / length))
        usual = self.usual[visit % 48] if self.visits[visit % 48] >= 2.0 else 0.0
        scale = max(usual if usual > 0 else self.scale, 0.25 * self.scale)
        residual = 0.0 if season is None else value - self.anchor - season - self.mean
        distance = abs(residual) / scale if scale > 0 else 0.0
        score = 0.0 if season is None else self.surprise(distance)
        if learns:
            step = self.step(time)
            if season is not None:
                if self.taught >= 0.5 * self.warmup:
                    self.sketch.learn(distance, step * 1e-9)
                self.learn(residual, scale, step, self.tau, self.taught >= 0.5 * self.warmup)
            self.rows.append(
                (step * 1e-9, value - self.anchor - self.mean, None if season is None else abs(residual))
            )
            self.taught += step * 1e-9
            self.last = time
        return score
