"""Slow, obvious twin of the default detector: one channel, one reading at a time, plain Python."""

from __future__ import annotations

import math

import numpy as np
from detector_twins import SECOND, SurpriseTwin
from twins_fault import DOUBTED, FAULTY, HELD, OK, RECOVERED, RELEASED, PlausibilityTwin

from models.detectors.plausibility.natures import UNKNOWN
from models.readings import NOT_BELIEVED

DAY, SHIFT, SHAPE = range(3)
LN10 = math.log(10.0)


def single(number):
    return np.float32(number)


class PartTwin:
    """A part that learns how large its statistic usually is."""

    def __init__(self):
        self.usual = self.weight = self.largest = 0.0
        self.sketch = None

    def surprise(self, size, pace):
        if math.isnan(size) or self.usual <= 0 or self.sketch is None or self.sketch.seen < 50:
            return 0.0
        surprise = self.sketch.of(size / self.usual)
        if size > self.largest > 0 and self.weight > 50.0 * 1e-9 * pace:
            surprise += 10.0 * math.log(size / self.largest) / math.log(2.0)
        return min(9.9, surprise)

    def learn(self, size, seconds, memory):
        if math.isnan(size):
            return
        self.largest = max(size, self.largest * math.exp(-seconds / (30 * 86400.0)))
        if self.usual > 0:
            self.sketch = self.sketch or SurpriseTwin(memory)
            self.sketch.memory = memory
            self.sketch.learn(size / self.usual, seconds)
            size = min(size, 5.0 * self.usual)
        self.weight += seconds
        self.usual += max(seconds / self.weight, 2.0 * seconds / memory) * (size - self.usual)


class BlendTwin:
    """How often there was so much evidence."""

    def __init__(self):
        self.cells, self.fresh = [single(0)] * 80, 0
        self.settle()

    def settle(self):
        kept = math.exp(-self.fresh / 50_000.0)
        self.cells = [single(float(cell) * kept) for cell in self.cells]
        total = 0.0
        for cell in self.cells:
            total += float(cell)
        self.fresh, self.due = 0, single(max(16.0, min(512.0, total / 8)))
        lent, tail, self.rarity = 10_000.0 * math.exp(-total / 15_000.0), 0.0, [0.0] * 81
        for k in range(80, -1, -1):
            tail += float(self.cells[k]) if k < 80 else 0.0
            evidence = k * 0.125
            general = math.exp(-LN10 * (0.3 * min(1.0, evidence / 0.25) + 1.2 * evidence))
            share = (tail + lent * general) / (total + lent)
            self.rarity[k] = float(single(min(9.9, -math.log(share) / LN10) if share > 0 else 9.9))
        self.rarity[0] = 0.0

    def of(self, evidence):
        place = min(79, int(evidence * 8.0))
        low, high = self.rarity[place], self.rarity[place + 1]
        return min(9.9, low + min(1.0, evidence * 8.0 - place) * (high - low))

    def learn(self, evidence, weight):
        self.cells[min(79, int(evidence * 8.0))] += single(weight)
        self.fresh += 1
        if self.fresh >= self.due:
            self.settle()


class DefaultTwin:
    """Keeps all frames and all shapes as lists."""

    def __init__(self, warmup_s=3600.0, frame_s=60.0, smooth_s=0.0, kind="", resolution=0.0):
        self.doubt = PlausibilityTwin(kind, resolution)
        self.warmup, self.frame_ns, self.smooth_s, self.smooth = (
            warmup_s,
            round(frame_s * SECOND),
            smooth_s,
            0.0,
        )
        self.last = None
        self.pace, self.seen, self.taught = 0, 0, 0.0
        self.frames, self.unbroken, self.now = [], 0, []
        self.recent = self.before = self.level = self.novel = self.scatter = self.slack = 0.0
        self.season, self.visits = [single(0)] * 48, [single(0)] * 48
        self.visit_sum = self.visit_weight = self.high = self.low = 0.0
        self.shapes, self.stored, self.ended = [None] * 500, 0, [None] * 500
        self.closings, self.newest = [], None  # when each frame ended; the shape last judged
        self.parts, self.blend = [PartTwin() for _ in range(3)], BlendTwin()

    def nearest(self, shape):
        known = [other for other in self.shapes if other is not None]
        if len(known) < 20:
            return math.nan
        squares = []
        for other in known:
            total = single(0)
            for one, two in zip(shape, other, strict=True):
                total += (one - two) * (one - two)
            squares.append(total)
        first, second, third = sorted(squares)[:3]
        return (math.sqrt(first) + math.sqrt(second) + math.sqrt(third)) / 3.0

    def moments(self):
        """When the three shapes nearest to the one last judged ended, and how far they are."""
        known = [(one, at) for one, at in zip(self.shapes, self.ended, strict=True) if one is not None]
        if len(known) < 20 or self.newest is None:
            return []
        far = []
        for shape, at in known:
            total = single(0)
            for one, two in zip(self.newest, shape, strict=True):
                total += (one - two) * (one - two)
            far.append((math.sqrt(total), at))
        return sorted(far, key=lambda pair: pair[0])[:3]

    def note_closings(self, at):
        self.closings += [at] * (len(self.frames) - len(self.closings))

    def shift(self, x):
        return (self.recent + x) / 12 - self.before / 144 if len(self.frames) >= 155 else math.nan

    def excess(self, x):
        return max(x - self.high, self.low - x, 0.0) if self.seen >= 50 else 0.0

    def extreme(self, x):
        excess, span = self.excess(x), self.high - self.low
        return 0.0 if excess <= 0 else min(9.9, 100.0 * excess / span) if span > 0 else 9.9

    def usual(self, visit):
        return float(self.season[visit % 48]) if self.visits[visit % 48] > 0 else math.nan

    def score(self, time, value, quality=0):
        drifted = self.doubt.drift.drift
        verdict = self.doubt.examine(time, value, quality)
        if verdict == HELD and self.doubt.nature & UNKNOWN:
            verdict = OK
        elif verdict in (OK, RELEASED) and self.doubt.is_loose and not self.doubt.nature & UNKNOWN:
            verdict = DOUBTED
        if verdict in (HELD, FAULTY) or quality & NOT_BELIEVED or not math.isfinite(value):
            return 0.0
        visit, frame = time // (1800 * SECOND), time // self.frame_ns
        if self.last is None:
            if verdict != DOUBTED:
                self.anchor, self.last, self.frame, self.visit = value, time, frame, visit
            return 0.0
        x = value - self.anchor
        if verdict == RECOVERED:
            self.resume(time, x, visit, frame, drifted != 0 and self.doubt.drift.drift == 0)
            self.note_closings(time)
            self.newest = None
            return 0.0
        if self.smooth_s:
            since = min(max(0, time - self.last), 8 * max(1, self.pace)) * 1e-9
            x = self.smooth - math.expm1(-since / self.smooth_s) * (x - self.smooth)
        day = self.eased(x - self.usual(visit) - self.level)
        sizes = [abs(day), abs(self.eased(self.shift(x))), math.nan]
        shape = [single(x), *self.frames[-1:-8:-1]] if self.unbroken >= 7 else None
        sizes[SHAPE] = self.nearest(shape) if shape else math.nan
        surprises = [part.surprise(size, self.pace) for part, size in zip(self.parts, sizes, strict=True)]
        evidence = (surprises[DAY] + surprises[SHIFT] + surprises[SHAPE] + self.extreme(x)) / 4
        score = self.blend.of(evidence) if self.taught >= self.warmup and self.seen >= 50 else 0.0
        if time > self.last:
            step = min(time - self.last, 30 * 86400 * SECOND)
            pace = self.pace if self.pace > 0 else step
            step = min(step, 8 * pace)
            self.pace = pace + ((step - pace) >> 3)
            if verdict != DOUBTED:
                self.learn(x, step * 1e-9, sizes, evidence, score)
                away = abs(value - self.anchor - x)
                self.scatter += max(1.0 / self.seen, 1.0 / 512.0) * (away - self.scatter)
            self.newest = shape
            self.follow(time, x, visit, frame, step * 1e-9, verdict != DOUBTED)
        return score

    def level_s(self):
        return max(14400 * SECOND, 24 * self.pace) * 1e-9

    def resume(self, time, x, visit, frame, undone):
        seconds = (time - self.last) * 1e-9
        course = self.usual(visit) - self.usual(self.visit)
        course = 0.0 if math.isnan(course) else course
        expected = self.usual(visit) + self.level
        if math.isnan(expected):
            held = min(len(self.frames), 11)
            expected = (self.recent / held if held else 0.0) + course
        if undone:
            back = x - expected
            self.level += back
            self.slack = 0.0
            surely = max(0.0, abs(back) - 3.0 * self.parts[DAY].usual)
            self.high = max(x, self.high - surely) if back < 0 else self.high
            self.low = self.low if back < 0 else min(x, self.low + surely)
            self.move(back)
        else:
            away = abs(x - expected) - 3.0 * max(self.parts[DAY].usual, self.scatter)
            share = -math.expm1(-seconds / self.level_s())
            self.slack = math.copysign(share * max(0.0, away), x - expected)
            x = self.smooth + course if self.smooth_s else x
        if frame != self.frame and self.now:
            pace = self.doubt.pace
            self.bridge(frame, course if 4 * pace.jitter <= pace.period and not undone else None)
        self.now.append(x)
        self.frame, self.smooth, self.last = frame, x, time

    def bridge(self, frame, course):
        total = 0.0
        for reading in self.now:
            total += reading
        last, missed = total / len(self.now), frame - self.frame - 1
        self.shut(frame)
        for k in range(1, missed + 1):
            if course is not None and k > missed - 156:
                self.push(last + course * k / (missed + 1))

    def move(self, by):
        if self.now:
            total = 0.0
            for reading in self.now:
                total += reading
            self.now = [total / len(self.now) + by]
        self.frames = [mean + single(by) for mean in self.frames]
        self.recent = self.before = 0.0
        for mean in self.frames[-11:]:
            self.recent += float(mean)
        for mean in self.frames[-155:-11]:
            self.before += float(mean)

    def eased(self, change):
        if self.slack > 0 and change > 0:
            return max(0.0, change - self.slack)
        if self.slack < 0 and change < 0:
            return min(0.0, change - self.slack)
        return change

    def learn(self, x, seconds, sizes, evidence, score):
        memory = max(14 * 86400.0, 4000.0 * 1e-9 * self.pace)
        believed = 1.0 if score < 5.0 else 0.0625
        for part, size in zip(self.parts, sizes, strict=True):
            part.learn(size, believed * seconds, memory)
        self.blend.learn(evidence, believed)
        fade = 0.5 * (self.high - self.low) * -math.expm1(-seconds / (365 * 86400.0))
        high, low, widened = self.high - fade, self.low + fade, 0.4 if score >= 5.0 else 1.0
        self.high = high + widened * max(0.0, x - high)
        self.low = low - widened * max(0.0, low - x)
        self.seen, self.taught = self.seen + 1, self.taught + seconds

    def follow(self, time, x, visit, frame, seconds, learns):
        self.learn_day(visit, x, seconds, learns)
        if frame != self.frame and self.now:
            self.close(frame, learns)
        self.frame = frame
        if self.slack:
            self.slack *= math.exp(-seconds / max(self.level_s(), 156 * 1e-9 * self.frame_ns))
        self.now.append(x)
        self.smooth, self.last = x, time

    def learn_day(self, visit, x, seconds, learns):
        usual = self.parts[DAY].usual
        bound = 5.0 * usual if usual > 0 else math.inf
        if learns and visit != self.visit:
            if self.visit_weight > 0:
                place = self.visit % 48
                mean, known = self.visit_sum / self.visit_weight, self.visits[place] > 0
                self.visits[place] = min(single(4), self.visits[place] + single(1))
                change = mean - float(self.season[place])
                change = max(-bound, min(bound, change)) if known else change
                self.season[place] = single(float(self.season[place]) + change / float(self.visits[place]))
            self.visit, self.visit_sum, self.visit_weight = visit, 0.0, 0.0
        if not math.isnan(self.usual(visit)):
            residual = x - self.usual(visit) - self.level
            self.level += (1.0 - math.exp(-seconds / self.level_s())) * max(-bound, min(bound, residual))
        if learns:
            self.visit_sum += seconds * (x - self.level)
            self.visit_weight += seconds

    def push(self, mean):
        if len(self.frames) >= 11:
            leaving = float(self.frames[-11])
            self.recent -= leaving
            self.before += leaving
            if len(self.frames) >= 155:
                self.before -= float(self.frames[-155])
        self.frames.append(single(mean))
        self.recent += float(self.frames[-1])

    def shut(self, frame):
        """Close the frame that is being filled, for `frame` begins."""
        total = 0.0
        for x in self.now:
            total += x
        self.push(total / len(self.now))
        self.now = []
        gap = frame - self.frame > max(10, 4 * (self.pace // self.frame_ns))
        self.unbroken = 0 if gap else self.unbroken + 1

    def close(self, frame, learns):
        self.shut(frame)
        self.note_closings(self.last)
        if learns and len(self.frames) % 3 == 0 and self.unbroken >= 24:
            self.keep(self.frames[-17:-25:-1])

    def keep(self, shape):
        distance = self.nearest(shape)
        young = self.stored < 100
        novel = young or distance > self.novel
        if novel:
            self.shapes[self.stored % 500] = shape
            self.ended[self.stored % 500] = self.closings[-17]
            self.stored += 1
        if not young:
            if self.novel <= 0:
                self.novel = 0.5 * distance
            wished = 500 * 3 * max(self.frame_ns, self.pace) / (14 * 86_400_000_000_000)
            self.novel *= math.exp(0.05 * ((1.0 if novel else 0.0) - min(0.9, wished)))
