"""Slow, obvious twin of the stage that tells faults apart: one channel, plain Python.

The twin keeps what was heard in lists and works out rests, windows and holds from them anew each time.
"""

from __future__ import annotations

import math

import numpy as np

from models.detectors.plausibility.conversions import CONVERSIONS
from models.detectors.plausibility.natures import nature_of
from models.readings import Quality

SECOND = 1_000_000_000
LIVELY, NEVER_ZERO, UPWARD, TEMPERATURE = 2, 4, 8, 16
STATE, MAY_REST, RESTS_AT_ZERO = 1, 128, 256
OK, DOUBTED, HELD, FAULTY, RELEASED, RECOVERED = range(6)
ERRORS = {-999.0, -9999.0, -999.9, 999.9, 9999.0, 65535.0, 6553.5, 655.35, 32767.0, 3276.7, 327.67}
ERRORS |= {-32768.0, -3276.8, -327.68, 4294967295.0}


def clipped(number, bound):
    return max(-bound, min(bound, number))


class PaceTwin:
    """How often rows come."""

    def __init__(self):
        self.last = None
        self.period = self.jitter = self.gap = self.live = 0

    def silent_after(self, unknown):
        if self.live < 8:
            return unknown
        irregular = 4 * self.jitter > self.period
        return max(3 * self.gap if irregular else self.gap + self.gap // 2, self.period * 5 // 2)

    def hear(self, time, historic):
        """ns since the row before, and ns this row stands for."""
        if self.last is None:
            self.last = time
            return 0, 0
        gap, self.last = time - self.last, time
        self.period = self.period or gap
        step = min(gap, 8 * self.period)
        if not historic:
            if self.live > 0:
                longest = min(gap, self.silent_after(gap))
                self.gap = max(self.gap - (self.gap - self.period) // 4096, longest)
            self.live += 1
        off = step - self.period
        self.jitter += (min(abs(off), self.period) - self.jitter) // 16
        self.period += clipped(off, self.period // 4) // 4
        return gap, step


class DriftTwin:
    """Means of windows, and the two sums of their differences."""

    def __init__(self, window, floor):
        self.window, self.floor = window, floor
        self.rows, self.means = [], []
        self.sway = self.up = self.down = self.start = self.way_s = 0.0
        self.level, self.drift = 0.0, 0

    def hear(self, value, seconds):
        self.rows.append((value, seconds))
        weight = 0.0
        for _, stands_for in self.rows:
            weight += stands_for
        if weight >= self.window:
            self.close(weight)

    def close(self, weight):
        total = 0.0
        for value, seconds in self.rows:
            total += value * seconds
        self.rows = []
        mean = total / weight
        change = mean - self.level if self.means else 0.0
        if self.up == 0.0 and self.down == 0.0:
            self.start, self.way_s = self.level, 0.0
        self.way_s += weight
        self.level = mean
        if len(self.means) > 7:
            self.judge(change)
        elif self.means:
            self.sway += (abs(change) - self.sway) / len(self.means)
        self.means.append(mean)

    def judge(self, change):
        usual = max(self.sway, 0.25 * self.floor)
        height = clipped(change / usual, 3.0) if usual > 0 else 0.0
        self.up = max(0.0, self.up + height - 0.5)
        self.down = max(0.0, self.down - height - 0.5)
        if not self.drift and max(self.up, self.down) >= 8.0:
            self.drift = 1 if self.up >= 8.0 else -1
        elif self.drift and max(self.up, self.down) < 4.0:
            self.drift = 0
        if self.up < 4.0 and self.down < 4.0:
            self.sway += (min(abs(change), 3.0 * usual) - self.sway) / 16.0

    def undone_by(self, value):
        return self.drift != 0 and abs(value - self.start) <= 0.5 * abs(self.level - self.start)

    def forget(self):
        self.drift, self.up, self.down, self.rows, self.level = 0, 0.0, 0.0, [], self.start


class PlausibilityTwin:
    """`examine` as the kernel does it; `fault` is the word of the present episode, empty for none."""

    def __init__(self, kind="", resolution=0.0, warmup_s=86400.0, memory_s=14 * 86400.0, window_s=86400.0):
        self.nature, self.floor = nature_of(kind), float(np.float32(4.0 * resolution))
        self.warmup, self.memory = warmup_s, memory_s
        self.pace, self.drift = PaceTwin(), DriftTwin(window_s, self.floor)
        self.level, self.low, self.high = None, 0.0, 0.0
        self.tall = self.usual = self.taught = 0.0
        self.count = self.moves = self.trouble = self.longest = 0
        self.resting, self.is_stuck = [], False
        self.held, self.unit, self.failing, self.failed_at, self.failed_value = [], 0, False, None, None
        self.fault, self.calm, self.bad, self.is_loose = "", 0, 0, False

    def reach(self):
        if self.is_loose:
            return 1.25 * self.tall + 0.5 * self.floor
        if self.count <= 1:
            return 8.0 * self.tall + self.floor
        share = min(1.0, self.taught / self.warmup) if self.warmup > 0 else 1.0
        return (8.0 + share * (2.0 - 8.0)) * self.tall + self.floor

    def near(self):
        return min(self.tall, 4.0 * self.usual) + self.floor

    def in_band(self, value, share):
        margin = share * (self.high - self.low) + self.floor
        return self.low - margin <= value <= self.high + margin

    def is_error(self, value):
        if value == 0.0:
            return bool(self.nature & NEVER_ZERO)
        return value in ERRORS or (bool(self.nature & TEMPERATURE) and value in (-127.0, 85.0))

    def unit_of(self, value):
        if self.is_loose or (self.nature & UPWARD and value > self.level):
            return 0
        near, fits = self.near(), []
        for number, one in enumerate(CONVERSIONS[1:], 1):
            clear = 0.2 if one.nature else 0.1
            away = abs(self.back(number, value) - self.level)
            belongs = not one.nature or one.nature & self.nature
            told = near * one.factor <= clear * abs(value - self.level)
            sized = near <= 2.0 * clear * max(abs(self.level), abs(one.offset))
            if belongs and told and sized and away <= near:
                fits.append((away, number))
        return min(fits)[1] if fits else 0

    def back(self, number, value):
        return (value - CONVERSIONS[number].offset) / CONVERSIONS[number].factor

    def is_jump(self, value, gap):
        change, lively = abs(value - self.level), bool(self.nature & LIVELY)
        is_loose, far = lively and self.is_loose, change > self.reach()
        if far and self.is_error(value):
            return True
        if not (far or is_loose) or self.count < 30 or self.moves < 8 or self.nature & STATE:
            return False
        if lively and self.in_band(value, 0.0 if is_loose else 1.0):
            return False
        if gap > 8 * self.pace.period:
            return not self.in_band(value, 0.25)
        return is_loose or change * self.pace.period > self.reach() * gap

    def has_lasted(self):
        return self.pace.last - self.failed_at > 8 * self.pace.period

    def fail(self, word, time, value):
        if not self.fault:
            self.bad = 0
        if not self.failing:
            self.failed_at = time
        self.fault, self.failing, self.failed_value = word, True, value
        self.bad += 1 + len(self.held)
        self.held, self.same, self.calm = [], 1, 0
        return FAULTY

    def still_failing(self):
        self.bad += 1
        self.calm = 0
        return FAULTY

    def examine(self, time, value, quality=0):
        if self.pace.last is not None and time <= self.pace.last:
            return DOUBTED
        gap, step = self.pace.hear(time, bool(quality & Quality.HISTORIC))
        if quality & Quality.INVALID or not math.isfinite(value):
            return self.miss(time)
        self.trouble = max(0, self.trouble - 1)
        beyond = bool(quality & Quality.OUT_OF_RANGE)
        if self.level is None:
            return self.begin(time, value, beyond)
        if self.held or self.failing or beyond:
            return self.doubt(time, value, beyond, step)
        if self.is_jump(value, gap):
            return self.hold(value)
        return self.accept(time, value, gap, step)

    def begin(self, time, value, beyond):
        if beyond:
            return self.fail("range", time, value)
        self.level = self.low = self.high = value
        self.count, self.resting, self.failing = 1, [0], False
        return OK

    def miss(self, time):
        self.trouble = min(self.trouble + 4, 24)
        if self.failing:
            return self.still_failing()
        return self.fail("dropout", time, math.nan) if self.trouble >= 12 else HELD

    def accept(self, time, value, gap, step):
        change = abs(value - self.level)
        self.usual += (change - self.usual) / 64.0
        verdict, long_gap = OK, gap > 8 * self.pace.period
        if change == 0.0:
            verdict = self.rest(time, value, step)
            if verdict == FAULTY:
                return FAULTY
        else:
            if change > self.tall and not long_gap and not self.is_loose:
                self.tall = change
            self.end_rest()
            self.moves += 1
        self.learn(value, step)
        return RECOVERED if long_gap else verdict

    def rest(self, time, value, step):
        may = self.nature & MAY_REST or (value == 0.0 and self.nature & RESTS_AT_ZERO)
        full = self.nature & UPWARD and value >= self.high
        self.resting.append(0 if may or full else step)
        if may or full or len(self.resting) < 5 or self.count < 200 or self.taught < self.warmup:
            return OK
        if 2 * sum(self.resting) + self.pace.period >= 6 * self.longest:
            self.is_stuck = True
            return self.fail("stuck", time, value)
        return DOUBTED if sum(self.resting) > self.longest else OK

    def end_rest(self):
        still = sum(self.resting)
        if still > self.longest:
            bound = max(self.longest + self.longest // 2, 2 * self.pace.period)
            self.longest = min(still, bound) if self.is_stuck else still
        self.resting, self.is_stuck = [0], False

    def learn(self, value, step):
        seconds = step * 1e-9
        fade = seconds / self.memory
        self.tall -= fade * self.tall
        self.low = min(value, self.low + fade * (value - self.low))
        self.high = max(value, self.high - fade * (self.high - value))
        self.level = value
        self.count += 1
        if self.taught < self.warmup or self.count == 2:
            self.taught += seconds
        self.drift.hear(value, seconds)
        if self.fault:
            self.calm += 1
            if self.calm >= 12 * (min(5, max(1, self.bad)) if self.is_loose else 1):
                self.tall *= 1.25 if self.is_loose else 1.0
                self.fault, self.bad, self.is_loose = "", 0, False

    def resume(self, value, step):
        self.failing, self.held = False, []
        if value != self.level:
            self.end_rest()
        self.learn(value, step)

    def hold(self, value):
        self.held, self.same, self.failing, self.first = [value], 1, False, value
        self.unit = self.unit_of(value)
        return HELD

    def doubt(self, time, value, beyond, step):
        if self.failing and self.goes_on(value, beyond):
            return self.still_failing()
        if beyond:
            return self.fail_beyond(time, value)
        if self.is_back(value):
            return self.come_back(time, value, step)
        if self.failing and self.fault != "erratic":
            return self.hold(value)
        verdict = self.hold_on(time, value)
        if verdict in (RELEASED, RECOVERED):
            self.resume(value, step)
        return verdict

    def fail_beyond(self, time, value):
        if self.is_error(value):
            return self.fail("dropout", time, value)
        number = self.unit_of(value) if self.count >= 30 else 0
        if not number:
            return self.fail("range", time, value)
        self.unit = number
        self.fail("unit", time, value)
        self.level = self.back(self.unit, value)
        return FAULTY

    def goes_on(self, value, beyond):
        if self.fault == "unit":
            back = self.back(self.unit, value)
            if abs(back - self.level) > 2.0 * self.reach() or not self.in_band(back, 1.0):
                return False
            self.level = back
            return True
        if self.fault == "stuck":
            return value == self.level and not beyond
        if self.fault == "range" and beyond:
            return True
        return value == self.failed_value and self.fault != "erratic"

    def is_back(self, value):
        away = abs(value - self.level)
        if not self.failing and self.held:
            return away <= self.tall + 0.25 * self.floor
        return away <= self.reach() or (self.has_lasted() and self.in_band(value, 0.25))

    def come_back(self, time, value, step):
        was_long = self.failing and self.has_lasted()
        if not self.failing:
            self.tell_spike(time)
        elif not was_long:
            self.is_loose = True
        self.resume(value, step)
        return RECOVERED if was_long else OK

    def tell_spike(self, time):
        high = abs(self.first - self.level)
        if self.is_error(self.first):
            self.fail("dropout", time, self.first)
        elif high > 1.5 * self.reach() or self.fault:
            self.fail("spike", time, self.first)
        else:
            self.tall = max(self.tall, 0.6 * high)
            return
        self.bad -= 1
        self.is_loose = True
        if self.fault == "spike" and self.bad >= 3:
            self.fault = "erratic"

    def hold_on(self, time, value):
        """Held rows, or rows of a loose contact that may have come to rest at a new level."""
        newest = self.held[-1] if self.held else self.failed_value
        jump, move = newest - self.level, value - newest
        if move == 0.0 and self.is_error(value):
            return self.fail("dropout", time, value)
        onward = move * jump > 0.0 and abs(move) <= 10.0 * abs(jump)
        steady = max(2.0 * self.reach(), 0.0 if self.is_loose else 0.3 * abs(jump))
        if not onward and abs(move) > steady:
            return self.stray(time, value)
        if self.unit and abs(self.back(self.unit, value) - self.level) > 2.0 * self.near():
            self.unit = 0
        self.same += move == 0.0
        self.held.append(value)
        if len(self.held) >= (6 if self.is_loose else 3):
            return self.settle(time, value)
        gradual = onward and 0.3 * abs(jump) <= abs(move) <= 3.0 * abs(jump)
        if gradual and not self.unit and not self.fault and abs(jump) <= 3.0 * self.reach():
            return self.settle(time, value)
        return FAULTY if self.failing else HELD

    def stray(self, time, value):
        self.unit = 0
        if not self.failing and len(self.held) >= 2:
            if abs(self.first - self.level) > 1.5 * self.reach():
                self.is_loose = True
                return self.fail("erratic", time, value)
            return self.release(value)
        self.same = 1
        if not self.failing:
            self.held.append(value)
            return HELD
        self.held = [value]
        return self.still_failing()

    def settle(self, time, value):
        if self.unit:
            self.fail("unit", time, value)
            self.level = self.back(self.unit, value)
            return FAULTY
        if self.same >= 3 and self.is_rail(value):
            return self.fail("range", time, value)
        if self.drift.undone_by(value):
            self.drift.forget()
            return RECOVERED
        return self.release(value)

    def is_rail(self, value):
        up = self.nature & UPWARD and value > self.level
        may = value != 0.0 and not self.nature & LIVELY and not up
        return may and self.longest < 2 * self.pace.period and not self.in_band(value, 1.0)

    def release(self, value):
        if not self.is_loose:
            self.tall = max(self.tall, 0.6 * abs(value - self.level))
        return RELEASED


class FaultTwin:
    """Score 10 in an episode or a drift, and from the second at which silence is too long."""

    def __init__(self, kind="", resolution=0.0, silence_s=3600.0, **times):
        self.plausibility = PlausibilityTwin(kind, resolution, **times)
        self.unknown = round(silence_s * SECOND)
        self.heard, self.is_silent = None, False

    def score(self, time, value, quality=0):
        if quality & (Quality.TIME_PAST | Quality.TIME_FUTURE):
            return 0.0
        last = self.plausibility.pace.last
        if last is not None and time <= last:
            return 0.0
        self.plausibility.examine(time, value, quality)
        if not quality & Quality.HISTORIC:
            self.heard, self.is_silent = time, False
        return 10.0 if self.plausibility.fault or self.plausibility.drift.drift else 0.0

    def advance(self, time):
        if self.heard is None:
            self.heard = time
        if self.is_silent or time - self.heard < self.plausibility.pace.silent_after(self.unknown):
            return None
        self.is_silent = True
        self.plausibility.fault, self.plausibility.calm = "silent", 0
        return 10.0
