"""Slow, obvious twins of the detectors of shape: one channel, one reading at a time, plain Python.

Each has `score(time_ns, value) -> float` as the twins of `detector_twins`.
"""

from __future__ import annotations

import math

import numpy as np
from detector_twins import LevelTwin, f4

WORD = (1 << 64) - 1


class StrangenessTwin(LevelTwin):
    """What shape detectors share: a level of strangeness, one side of it, gaps."""

    def __init__(self, floor, warmup_s, memory_s):
        super().__init__(warmup_s, memory_s)
        self.floor, self.memory = floor, memory_s

    def is_cut(self, time):
        return self.last is not None and self.pace > 0 and time - self.last > 8 * self.pace

    def judge(self, strangeness, step):
        """Score of the strangeness; learns it when `step` ns have passed since the last one."""
        scale = max(self.scale, self.floor)
        beyond = max(0.0, strangeness - self.mean) / scale if scale > 0 else 0.0
        score = self.surprise(beyond)
        if step is not None:
            settled = self.taught >= 0.25 * self.warmup
            if settled:
                self.sketch.learn(beyond, step * 1e-9)
            if self.weight == 0:
                self.mean = strangeness
            self.learn(strangeness - self.mean, scale, step, self.memory, settled)
            self.taught += step * 1e-9
        return score


def drawn(seed, tree, index):
    mixed = ((seed * 1000003 + tree) * 0x9E3779B97F4A7C15 + index) & WORD
    for _ in range(2):
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & WORD
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & WORD
        mixed ^= mixed >> 31
    return mixed >> 33


class HalfSpaceTreesTwin(StrangenessTwin):
    """Whole trees, walked by comparing with the middle of a node's space; the mass of every node counted."""

    def __init__(self, trees, height, window, every, shingle, warmup_s):
        super().__init__(1.0, warmup_s, 14 * 86400.0)
        self.trees, self.height, self.window, self.every, self.wide = trees, height, window, every, shingle
        self.recent, self.points, self.ranges, self.mass = [], [], None, None
        self.thin, self.passed = 1, 0

    def space(self, tree, dimension):
        middle = drawn(2011, tree, -1 - dimension) / 2.0**31
        reach = 2.0 * max(middle, 1.0 - middle)
        return middle - reach, 2.0 * reach

    def reach(self, dimension):
        low, high = self.ranges[dimension]
        return max(0.5 * high - 0.5 * low, 1e-300)

    def scaled(self, point):
        middles = [0.5 * low + 0.5 * high for low, high in self.ranges]
        return [0.5 + 0.5 * (at - middles[k]) / self.reach(k) for k, at in enumerate(point)]

    def path(self, tree, point):
        """Numbers of the nodes from the root to the leaf."""
        where = []
        for dimension, at in enumerate(point):
            start, width = self.space(tree, dimension)
            cell = (at - start) * (2.0**self.height / width)
            where.append(min(max(math.floor(cell), 0), 2**self.height - 1))
        low, high = [0] * self.wide, [2**self.height] * self.wide
        path = [1]
        for _ in range(self.height):
            dimension = drawn(2011, tree, path[-1]) % self.wide
            middle = (low[dimension] + high[dimension]) // 2
            right = where[dimension] >= middle
            (low if right else high)[dimension] = middle
            path.append(2 * path[-1] + right)
        return path

    def rarity(self, point):
        total = 0
        for tree in range(self.trees):
            path = self.path(tree, self.scaled(point))
            for depth, node in enumerate(path):
                mass = self.mass.get((tree, node), 0)
                if mass <= self.window // 10 or node == path[-1]:
                    total += mass * 2**depth
                    break
        full = self.trees * self.window * 2.0**self.height
        return math.log(full / (total + 1.0)) * (1.0 / math.log(2.0))

    def turn(self):
        """The window is full: its masses judge the next."""
        outer, ranges = self.window // 50, []
        for dimension in range(self.wide):
            column = sorted(point[dimension] for point in self.points)
            low, high = column[outer], column[-1 - outer]
            if self.ranges is not None:
                before = self.ranges[dimension]
                low = low if low < before[0] else before[0] + 0.125 * (low - before[0])
                high = high if high > before[1] else before[1] + 0.125 * (high - before[1])
            ranges.append((low, high))
        self.ranges, self.mass = ranges, {}
        for point in self.points:
            for tree in range(self.trees):
                for node in self.path(tree, self.scaled(point)):
                    self.mass[tree, node] = self.mass.get((tree, node), 0) + 1
        self.points, self.thin = [], min(2 * self.thin, self.every)

    def score(self, time, value):
        if self.is_cut(time):
            self.recent = []
        step = self.step(time) if self.last is not None else None
        point = [value] + [value - before for before in self.recent]
        score = 0.0
        if len(point) == self.wide:
            if self.mass is not None:
                score = self.judge(self.rarity(point), step)
            self.passed += 1
            if self.passed == self.thin:
                self.points.append(point)
                self.passed = 0
        self.recent = [value, *self.recent][: self.wide - 1]
        self.last = time
        if len(self.points) == self.window:
            self.turn()
        return score


class DiscordTwin(StrangenessTwin):
    """Keeps all readings and compares the present window with every earlier one, products summed anew."""

    def __init__(self, length, buffer, flat, warmup_s, resolution=0.0):
        super().__init__(0.01, warmup_s, 14 * 86400.0)
        self.length, self.buffer, self.least = length, buffer, flat * 512.0
        self.smallest = max(4.0 * f4(resolution), 1e-30)
        self.raw, self.joined, self.since = [], [], 0  # since: readings since steps were last measured
        self.centre, self.unit, self.beyond = 0.0, 0.0, 0

    def step_of(self, raw):
        return int(max(-2047, min(2047, round((raw - self.centre) / self.unit))))

    def measure(self):
        known = self.raw[-self.buffer :]
        sample = sorted(known[:: max(1, len(known) // 256)])
        low, high = sample[len(sample) // 16], sample[-1 - len(sample) // 16]
        self.centre = 0.5 * low + 0.5 * high
        self.unit = max(0.5 * high - 0.5 * low, self.smallest) / 512.0
        self.since = self.beyond = 0

    def height(self, steps):
        spread = (self.length * sum(x * x for x in steps) - sum(steps) ** 2) / self.length
        return 1.0 / math.sqrt(spread) if spread > self.length * self.least * self.least else 0.0

    def difference(self, raw):
        """To the most similar window that ended before the present one began, within the buffer."""
        m, steps = self.length, [self.step_of(x) for x in [*self.raw, raw][-self.buffer :]]
        joined = self.joined[-(self.buffer - 1) :]
        now = steps[-m:]
        height, best, flat = self.height(now), 0.0, False
        for end in range(m, len(steps) - m + 1):
            if joined[end - 1] < m:
                continue
            then = steps[end - m : end]
            other = f4(self.height(then))
            flat = flat or other == 0.0
            dot = sum(a * b for a, b in zip(now, then, strict=True))
            best = max(best, f4((dot - sum(now) / m * sum(then)) * other))
        if height == 0.0:
            return 0.0 if flat else 1.0
        return math.sqrt(max(0.0, 1.0 - best * height))

    def score(self, time, value):
        joined = 1 if not self.joined or self.is_cut(time) else min(self.joined[-1] + 1, self.length)
        if self.last is None:
            self.anchor = value
        step = self.step(time) if self.last is not None else None
        raw, score = f4(value - self.anchor), 0.0
        if self.unit > 0 and joined == self.length:
            score = self.judge(self.difference(raw), step)
        self.raw.append(raw)
        self.joined.append(joined)
        self.since += 1
        self.last = time
        self.beyond += self.unit > 0 and abs(self.step_of(raw)) == 2047
        far = self.beyond > (self.buffer + self.length) // 12
        if far or self.since == self.buffer // 4 or (len(self.raw) == 4 * self.length and self.unit == 0):
            self.measure()
        return score


class NearestTwin(StrangenessTwin):
    """A list of all readings and a list of windows, each compared by itself."""

    def __init__(self, length, spread, store, neighbours, delay, warmup_s, memory_s, resolution=0.0):
        super().__init__(0.5 * resolution, warmup_s, memory_s)
        self.length, self.spread, self.size = length, spread, store
        self.neighbours, self.delay = neighbours, delay
        self.readings, self.store, self.novel, self.asked, self.joined = [], [], 0.0, 0, 0

    def window(self, values):
        """Means of `spread` values each, the newest first."""
        newest_first = values[::-1]
        means = []
        for k in range(self.length):
            total = 0.0
            for value in newest_first[k * self.spread : (k + 1) * self.spread]:
                total += value
            means.append(np.float32(total / self.spread - self.anchor))
        return means

    def square(self, one, other):
        total = np.float32(0)
        for a, b in zip(one, other, strict=True):
            total = total + (a - b) * (a - b)
        return float(total)

    def keep(self, window, time):
        squares = [self.square(window, known) for known, _ in self.store]
        distance = math.sqrt(min(squares)) if squares else math.inf
        young = len(self.store) < min(100, self.size)
        if not young and distance <= self.novel:
            self.store[squares.index(min(squares))][1] = time
        elif len(self.store) < self.size:
            self.store.append([window, time])
        else:
            self.store[min(range(self.size), key=lambda k: self.store[k][1])] = [window, time]
        if not young:
            share = max(0.01, min(0.5, self.size * 4 * self.pace * 1e-9 / self.memory))
            before = self.novel if self.novel > 0 else 0.5 * distance
            self.novel = before * math.exp(0.05 * ((1.0 if distance > self.novel else 0.0) - share))

    def score(self, time, value):
        span, score = self.length * self.spread, 0.0
        if self.is_cut(time):
            self.joined = 0
        if self.last is None:
            self.anchor = value
        step = self.step(time) if self.last is not None else None
        self.readings.append((time, value))
        self.joined += 1
        values = [value for _, value in self.readings]
        if self.joined >= span and len(self.store) >= 20:
            window = self.window(values)
            nearest = sorted(self.square(window, known) for known, _ in self.store)[: self.neighbours]
            total = 0.0
            for square in nearest:
                total += math.sqrt(square)
            score = self.judge(total / self.neighbours, step)
        self.last = time
        self.asked = min(self.asked + 1, 4)
        if self.joined >= span + self.delay and self.asked == 4:
            self.asked = 0
            self.keep(self.window(values[: -self.delay]), self.readings[-1 - self.delay][0])
        return score
