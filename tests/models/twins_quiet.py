"""Slow, obvious twin of the quiet detector: one channel, one reading at a time, plain Python."""

from __future__ import annotations

import math

import numpy as np
from detector_twins import SECOND, SurpriseTwin

VISIT_NS = 1800 * SECOND


class QuietTwin:
    def __init__(
        self, active_above=0.5, apart_s=900.0, warmup_s=3 * 86400.0, days=14.0, utc_offset_s=0, confirm_s=0.0
    ):
        self.confirm, self.alone = round(confirm_s * SECOND), None
        self.above, self.warmup, self.days = active_above, warmup_s, days
        self.apart, self.since = round(apart_s * SECOND), None
        self.offset, self.last, self.sketch = utc_offset_s * SECOND, None, SurpriseTwin(2000.0)
        self.pace, self.taught, self.missed, self.usual, self.silences = 0, 0.0, 0.0, 0.0, 0.0
        self.signs, self.often, self.rate, self.longest = 0.0, 0.0, 0.0, 0.0
        self.counts, self.visits = [np.float32(0)] * 48, [np.float32(0)] * 48

    def enter(self, visit):
        place = self.visit % 48
        self.visits[place] = np.float32(min(self.days, float(self.visits[place]) + 1.0))
        gain = 1.0 / float(self.visits[place])
        count = float(self.counts[place])
        self.counts[place] = np.float32(count + gain * (self.signs - count))
        self.often += (self.signs - self.often) / (48 * self.days)
        self.visit, self.signs, here = visit, 0.0, visit % 48
        seen = float(self.visits[here])
        self.rate = (float(self.counts[here]) * seen + self.often) / (seen + 1.0)

    def end_silence(self, seconds):
        self.longest = max(seconds, self.longest * math.exp(-seconds / (30 * 86400.0)))
        missed = self.missed
        if self.usual > 0:
            self.sketch.learn(missed / self.usual, 1.0)
            missed = min(missed, 5.0 * self.usual)
        self.silences = min(2000.0, self.silences + 1.0)
        self.usual += (missed - self.usual) / self.silences

    def is_life(self, time):
        confirmed = self.alone is not None and time - self.alone <= self.confirm
        if not self.confirm or time - self.since < self.apart or confirmed:
            self.alone = None
            return True
        self.alone = time
        return False

    def score(self, time, value):
        visit = (time + self.offset) // VISIT_NS
        if self.last is None:
            self.last, self.since, self.visit = time, time, visit
            return 0.0
        if time <= self.last:
            return 0.0
        step = min(time - self.last, 30 * 86400 * SECOND)
        self.pace = self.pace or step
        step = min(step, 8 * self.pace)
        self.pace += (step - self.pace) // 8
        seconds = step * 1e-9
        self.last, self.taught = time, self.taught + seconds
        if visit != self.visit:
            self.enter(visit)
        self.missed += seconds / 1e-9 * (1e-9 * 48 / 86400.0) * self.rate
        warm = self.taught >= self.warmup and self.sketch.seen >= 50
        if value > self.above and self.is_life(time):
            if time - self.since >= self.apart:
                self.signs += 1.0
                self.end_silence((time - self.since) * 1e-9)
            self.since, self.missed = time, 0.0
            return 0.0
        if not warm or self.usual <= 0:
            return 0.0
        surprise, seconds = self.sketch.of(self.missed / self.usual), (time - self.since) * 1e-9
        if seconds > self.longest > 0:
            surprise += 10.0 * math.log(seconds / self.longest) / math.log(2.0)
        return min(9.9, surprise)
