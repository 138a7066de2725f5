"""Slow, obvious twins of the detectors that know the kind of day: one channel, plain Python."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from detector_twins import SECOND, LevelTwin, f4

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
