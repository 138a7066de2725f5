"""Slow, obvious twins of the detectors that know the kind of day: one channel, plain Python."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from detector_twins import SECOND, LevelTwin, SurpriseTwin, f4

HALF_HOUR = 1800 * SECOND
LIKEST = {
    "work": ("work", "saturday", "sunday"),
    "saturday": ("saturday", "sunday", "work"),
    "sunday": ("sunday", "saturday", "work"),
}


def kind_of(visit, holidays=(), worked=()):
    """Kind of day of a local half hour counted from 1970, by the calendar of the standard library."""
    day = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=visit // 48)).date()
    if day.isoformat() in worked:
        return "work"
    if day.isoformat() in holidays or day.weekday() == 6:
        return "sunday"
    return "saturday" if day.weekday() == 5 else "work"


class SeasonTwin(LevelTwin):
    """Keeps the present half hour's readings as a list and folds them at its end."""

    def __init__(
        self, holidays=(), worked=(), utc_offset_s=0, warmup_s=604800.0, memory_s=14 * 86400.0, days=14.0
    ):
        super().__init__(warmup_s, memory_s)
        self.holidays, self.worked, self.offset = holidays, worked, utc_offset_s * SECOND
        self.days, self.tau, self.slope_tau = days, 14400.0, 2 * 86400.0
        self.season, self.usual, self.visits = {}, {}, {}
        self.slope, self.damping, self.damped, self.strange = 0.0, 0.0, 0, 0.0
        self.anchor, self.visit, self.rows = 0.0, 0, []
        self.calm = 0.0, False

    def key(self, visit):
        return kind_of(visit, self.holidays, self.worked), visit % 48

    def asked(self, visit):
        kind, half = self.key(visit)
        return next(((k, half) for k in LIKEST[kind] if self.visits.get((k, half), 0) > 0), None)

    def fold(self):
        if self.rows:
            key = self.key(self.visit)
            weight = values = distances = 0.0
            for seconds, value, distance in self.rows:
                weight += seconds
                values += seconds * value
                distances += seconds * (distance or 0.0)
            share, had = min(1.0, weight / 1800), self.visits.get(key, 0.0)
            self.visits[key] = f4(min(self.days, had + share))
            gain = share / self.visits[key]
            change = values / weight - self.season.get(key, 0.0)
            if had >= 2.0:
                bound = 5.0 * max(self.usual.get(key, 0.0), 0.25 * self.scale)
                change = max(-bound, min(bound, change))
            self.season[key] = f4(self.season.get(key, 0.0) + gain * change)
            if had > 0:
                distance, known = distances / weight, self.usual.get(key, 0.0)
                self.usual[key] = f4(distance if known == 0 else known + gain * (distance - known))
        self.rows = []

    def season_at(self, visit, phase):
        asked = self.asked(visit)
        if asked is None:
            return None
        beside = self.asked(visit + (1 if phase >= 0.5 else -1))
        here = self.season[asked]
        return here + abs(phase - 0.5) * ((here if beside is None else self.season[beside]) - here)

    def usual_at(self, visit):
        """Usual distance at this half hour, and whether this kind of day knows it itself."""
        asked = self.asked(visit)
        if asked is None:
            return 0.0, False
        seen, usual = self.visits[asked], 0.0
        if seen >= 2.0:
            usual = (seen * self.usual.get(asked, 0.0) + 2.0 * self.scale) / (seen + 2.0)
        if asked == self.key(visit):
            return usual, True
        whole = [
            self.season[asked[0], half] for half in range(48) if self.visits.get((asked[0], half), 0) > 0
        ]
        mean = 0.0
        for value in whole:
            mean += value
        mean, reach = mean / len(whole), 0.0
        for value in whole:
            reach += abs(value - mean)
        return max(usual, self.scale, reach / len(whole)), False

    def score(self, time, value):
        visit = (time + self.offset) // HALF_HOUR
        if self.last is None:
            self.anchor, self.last, self.visit = value, time, visit
            return 0.0
        learns = time > self.last
        if learns and visit != self.visit:
            self.fold()
            self.visit = visit
            self.calm = self.usual_at(visit)
        season = self.season_at(visit, (time + self.offset - visit * HALF_HOUR) * (1.0 / HALF_HOUR))
        usual, own = self.usual_at(visit) if visit != self.visit else self.calm
        since = max(0, time - self.last)
        left = self.damping
        if abs(since - self.damped) > since // 64:
            left = math.exp(-since * 1e-9 / self.slope_tau)
        level = self.mean + self.slope * self.slope_tau * (1.0 - left)
        scale = max(usual if usual > 0 else self.scale, 0.25 * self.scale)
        x = value - self.anchor
        residual = 0.0 if season is None else x - season - level
        distance = abs(residual) / scale if scale > 0 else 0.0
        score = 0.0 if season is None else self.surprise(distance)
        if not learns:
            return score
        step = self.step(time)
        seconds, settled, teaches = step * 1e-9, self.taught >= 0.5 * self.warmup, True
        self.mean, self.slope = level, self.slope * left
        if left != self.damping:
            self.damping, self.damped = left, since
        if season is not None and settled:
            self.strange = self.strange + seconds if abs(residual) > 8.0 * scale else 0.0
            teaches = self.strange <= max(900.0, 3.0 * seconds) or self.strange > 86400
        if season is not None and own and teaches:
            if settled and usual > 0:
                self.sketch.learn(distance, seconds)
            self.learn(residual, scale, step, self.tau, settled)
            bound = 5.0 * scale if settled else math.inf
            pull = (1.0 - left * left * (left * left)) * self.rate * max(-bound, min(bound, residual))
            self.slope += pull / (since * 1e-9)
        if teaches:
            known = abs(residual) if season is not None and own else None
            self.rows.append((seconds, x - self.mean, known))
        self.taught += seconds
        self.last = time
        return score


def log_gamma(x):
    product = 1.0
    while x < 8:
        product *= x
        x += 1.0
    p = 1.0 / (x * x)
    series = (1.0 / 12.0 - p * (1.0 / 360.0 - p * (1.0 / 1260.0 - p * (1.0 / 1680.0 - p / 1188.0)))) / x
    return (x - 0.5) * math.log(x) - x + 0.5 * math.log(math.tau) + series - math.log(product)


def log_share(a, b, x, y):
    """Log of the regularised incomplete beta function, turned round where its fraction converges badly."""
    front = log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * math.log(x) + b * math.log(y)
    if x < (a + 1.0) / (a + b + 2.0):
        return front + math.log(fraction(a, b, x) / a)
    return math.log(max(1e-300, 1.0 - math.exp(front) * fraction(b, a, y) / b))


def fraction(a, b, x):
    factors = [-(a + b) * x / (a + 1.0)]
    for m in range(1, 500):
        factors.append(m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)))
        factors.append(-(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)))
    above, below = 1.0, 1.0 / (1.0 + factors[0])
    found = below
    for turn, factor in enumerate(factors[1:]):
        below, above = 1.0 / (1.0 + factor * below), 1.0 + factor / above
        found *= above * below
        if turn % 2 and abs(above * below - 1.0) < 1e-9:
            break
    return found


def distance_of(count, mean, spread):
    shape = 1.0 / max(1e-4, spread)
    few, many = shape / (shape + mean), mean / (shape + mean)
    if count > mean:
        return max(0.0, -math.log(2.0) - log_share(count, shape, many, few))
    return min(0.0, math.log(2.0) + log_share(shape, count + 1.0, few, many))


class CountsTwin:
    """Changes to on; silence means that nothing happened. Half hours are kept by kind of day."""

    def __init__(self, above, holidays=(), worked=(), utc_offset_s=0, warmup_s=604800.0, memory_s=1209600.0):
        self.above, self.holidays, self.worked = above, holidays, worked
        self.offset, self.warmup, self.days = utc_offset_s * SECOND, warmup_s, 14.0
        self.length, self.sketch = 300 * SECOND, SurpriseTwin(memory_s)
        self.rates, self.visits = {}, {}
        self.last, self.taught, self.often, self.halves = None, 0.0, 0.0, 0.0
        self.excess = self.squares = self.dispersion = self.strange = self.told = 0.0
        self.open, self.closed, self.turn = [0.0] * 4, [[0.0] * 4 for _ in range(11)], 0
        self.half = [0.0] * 3

    def key(self, visit):
        return kind_of(visit, self.holidays, self.worked), visit % 48

    def enter(self, visit):
        self.visit, key = visit, self.key(visit)
        seen = self.visits.get(key, 0.0)
        self.own = seen > 0
        usual = self.often + 0.5 / (self.halves + 1.0)
        for kind in LIKEST[key[0]]:
            other = self.visits.get((kind, key[1]), 0.0)
            if other > 0:
                if kind != key[0]:
                    usual = (other * self.rates[kind, key[1]] + 0.25 * usual) / (other + 0.25)
                break
        known = 0.25 * usual + seen * self.rates.get(key, 0.0)
        self.rate = known / (0.25 + seen) / 1800.0
        self.doubt = self.rate / math.sqrt(known)

    def fold(self):
        seconds, events, expected = self.half
        share, key = min(1.0, seconds / 1800.0), self.key(self.visit)
        if share > 0:
            seen = self.visits.get(key, 0.0)
            if seen >= 2:
                reach = 5.0 * math.sqrt(expected + 1.0 + self.dispersion * expected * expected)
                events = max(expected - reach, min(expected + reach, events))
                kept, missed, unsure = 1.0 - 1.0 / (48 * self.days), events - expected, self.doubt * seconds
                self.excess = kept * self.excess + missed * missed - unsure * unsure - expected
                self.squares = kept * self.squares + expected * expected
                if self.squares > 0:
                    self.dispersion = max(0.0, min(4.0, self.excess / self.squares))
            self.visits[key] = f4(min(self.days, seen + share))
            rate = self.rates.get(key, 0.0)
            self.rates[key] = f4(rate + (events - share * rate) / self.visits[key])
            self.halves = min(48 * self.days, self.halves + share)
            self.often += (events - share * self.often) / self.halves
        self.half = [0.0] * 3

    def judge(self):
        sums = list(self.open)
        for part in self.closed:
            sums = [total + one for total, one in zip(sums, part, strict=True)]
        seconds, events, expected, unsure = sums
        if seconds < 1800 or expected <= 0:
            return 0.0, 0.0
        doubt = unsure / expected
        distance = abs(distance_of(events, expected, self.dispersion + doubt * doubt))
        if self.taught < self.warmup or self.sketch.seen < 50:
            return 0.0, distance
        known, score = f4(math.log10(self.sketch.seen)), self.sketch.of(distance)
        return min(score, max(known, (1.0 / math.log(10.0)) * distance)), distance

    def end_part(self):
        score, distance = self.judge()
        seconds = self.open[0]
        self.strange = self.strange + seconds if distance > 12 else 0.0
        learns = self.strange <= max(900.0, seconds) or self.strange > 86400
        if seconds > 0 and self.own and learns and self.taught >= 0.5 * self.warmup:
            self.sketch.learn(distance, seconds)
        self.closed[self.turn] = [f4(x) for x in self.open]
        self.turn, self.open, self.part = (self.turn + 1) % 11, [0.0] * 4, self.part + 1
        return score

    def pass_time(self, until):
        """To the end of the part, of the half hour, or as far as time goes; a score where a part ended."""
        score = None
        while self.to < until:
            ends = (self.part + 1) * self.length - self.offset, (self.visit + 1) * HALF_HOUR - self.offset
            stop = min(until, *ends)
            seconds = (stop - self.to) * 1e-9
            self.taught += seconds
            expected, unsure = seconds * self.rate, seconds * self.doubt
            for column, more in ((0, seconds), (2, expected), (3, unsure)):
                self.open[column] += more
            self.half[0] += seconds
            self.half[2] += expected
            self.to = stop
            if stop == ends[0]:
                score = self.end_part()
            if stop == ends[1]:
                self.fold()
                self.enter(self.visit + 1)
        return score

    def advance(self, time):
        if self.last is None or time < (self.part + 1) * self.length - self.offset:
            return None
        score = self.pass_time(time)
        if score is None or (abs(score - self.told) < 0.1 and (score > 0 or self.told == 0)):
            return None
        self.told = score
        return score

    def score(self, time, value):
        if self.last is None:
            self.last, self.to, self.value = time, time, value
            self.part = (time + self.offset) // self.length
            self.enter((time + self.offset) // HALF_HOUR)
            return 0.0
        if time <= self.last:
            return self.told
        self.pass_time(time)
        if value > self.above >= self.value:
            self.open[1] += 1.0
            self.half[1] += 1.0
        self.last, self.value = time, value
        self.told = self.judge()[0]
        return self.told


class UsualDurationTwin:
    """Keeps the present state and the times at which to look again; `shortest_s` delays every change."""

    def __init__(self, above, shortest_s, warmup_s, utc_offset_s=0, least_s=0.0):
        self.least = least_s
        self.above, self.shortest, self.warmup = above, round(shortest_s * SECOND), warmup_s
        self.offset, self.sketches = utc_offset_s * SECOND, [SurpriseTwin(1000.0), SurpriseTwin(1000.0)]
        self.usual, self.count, self.width = [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]
        self.longest = [0.0, 0.0]
        self.at, self.last, self.taught, self.told = {}, None, 0.0, 0.0

    def begin(self, on, time, whole, now):
        self.on, self.since, self.whole, self.other, self.told = on, time, whole, None, 0.0
        self.span = (time + self.offset) // (3 * 3600 * SECOND) % 8
        self.centre = self.due = None
        if self.count[on] > 0:
            usual, width, count = self.at.get((on, self.span), (0.0, 0.0, 0.0))
            self.centre = (count * usual + 0.5 * self.usual[on]) / (count + 0.5)
            self.reach = max(0.05, (count * width + 0.5 * self.width[on]) / (count + 0.5))
            self.due = max(now, time + max(SECOND, int(math.exp(self.centre) * SECOND)))

    def end(self, time):
        on, seconds = self.on, max(1e-3, (time - self.since) * 1e-9)
        if not self.whole:
            return
        self.longest = [one * math.exp(-seconds / (30 * 86400.0)) for one in self.longest]
        if seconds > self.longest[on]:
            self.longest[on] = min(seconds, 2.0 * self.longest[on]) if self.longest[on] else seconds
        length = math.log(seconds)
        usual, width, count = self.at.get((on, self.span), (0.0, 0.0, 0.0))
        if count >= 2:
            self.sketches[on].learn(max(0.0, length - self.centre) / self.reach, 1.0)
            farthest = 5.0 * self.reach
            length = max(self.centre - farthest, min(self.centre + farthest, length))
            missed = abs(length - self.centre)
            width = f4(width + (missed - width) / count if width > 0 else missed)
        count = min(100.0, count + 1.0)
        if self.count[on] > 0:
            self.width[on] += (abs(length - self.usual[on]) - self.width[on]) / self.count[on]
        self.count[on] = min(100.0, self.count[on] + 1.0)
        self.usual[on] += (length - self.usual[on]) / self.count[on]
        self.at[on, self.span] = f4(usual + (length - usual) / count), width, count

    def change(self, now):
        since = self.other
        self.end(since)
        self.begin(1 - self.on, since, True, now)

    def judge(self, time):
        sketch = self.sketches[self.on]
        if self.taught < self.warmup or sketch.seen < 50 or self.centre is None or not self.on:
            return 0.0
        seconds = max(1e-3, (time - self.since) * 1e-9)
        if seconds < self.least:
            return 0.0
        surprise = sketch.of(max(0.0, math.log(seconds) - self.centre) / self.reach)
        record = 1.25 * self.longest[self.on]
        if seconds > record > 0.0:
            surprise += 10.0 * math.log(seconds / record) / math.log(2.0)
        return min(9.9, surprise)

    def advance(self, time):
        if self.last is None:
            return None
        if self.other is not None and time >= self.other + self.shortest:
            told = self.told
            self.change(time)
            return 0.0 if told > 0 else None
        said = None
        while self.due is not None and self.other is None and self.due <= time:
            score = self.judge(time)
            self.due += max(SECOND, (self.due - self.since) // 64)
            if score >= self.told + 0.1:
                said = self.told = score
        return said

    def score(self, time, value):
        on = int(value > self.above)
        if self.last is None:
            self.begin(on, time, False, time)
            self.last = time
            return 0.0
        if time > self.last:
            self.taught += (time - self.last) * 1e-9
            self.last = time
            if on == self.on:
                self.other = None
            elif self.other is None:
                self.other = time
            if self.other is not None and time - self.other >= self.shortest:
                self.change(time)
            if self.other is None:
                self.told = self.judge(time)
        return self.told
