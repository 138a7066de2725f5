"""A scene: two weeks in steps of half a minute, and chance that knows learning days from judged ones.

The learning days of a seed are the same whatever the hazard; what people do and what sensors add in the
judged days is drawn anew for each (hazard, seed). So a detector may learn once for all hazards of a seed, and
still no two runs share their judged days.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware_sim.chance import Chance

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PERIOD_S = 30.0
DAY_S = 86_400.0
LEARNING_DAYS, JUDGED_DAYS = 10, 4
DAYS = LEARNING_DAYS + JUDGED_DAYS
STEPS = int(DAYS * DAY_S / PERIOD_S)
JUDGED_S, END_S = LEARNING_DAYS * DAY_S, DAYS * DAY_S
_FIRST_STEP = int(JUDGED_S / PERIOD_S)
UTC_OFFSET_S = 8 * 3600
# Local midnight of 1 November 2024; runs begin within 135 days, so that heating is on and a window lets cold
# in.
_SEASON_BEGAN_S, _SEASON_DAYS = 1_730_419_200 - UTC_OFFSET_S, 135


class Scene:
    """Time and chance of one run. Times are seconds since the run's beginning, a local midnight.

    `at_s`, `hour` (local, 0..24), `day` (0..13), `weekend` (0 or 1) have one element for each step.

    >>> scene = Scene("gas_leak", 1001)
    >>> len(scene.at_s), float(scene.hour[120])
    (40320, 1.0)
    """

    def __init__(self, hazard: str, seed: int) -> None:
        self.hazard, self.seed = hazard, seed
        self._chance = Chance(seed)
        self.season = float(self._chance.uniform("season", 0))
        self.began_s = _SEASON_BEGAN_S + DAY_S * np.floor(_SEASON_DAYS * self.season)
        self.at_s: Floats = PERIOD_S * np.arange(STEPS, dtype=np.float64)
        self.hour: Floats = (self.at_s % DAY_S) / 3600.0
        self.day: Ints = (self.at_s // DAY_S).astype(np.int64)
        first_weekday = int((self.began_s + UTC_OFFSET_S) // DAY_S) + 3  # 1970 began on a Thursday
        self.is_weekend_day = (first_weekday + np.arange(DAYS)) % 7 >= 5
        self.weekend: Floats = self.is_weekend_day.astype(np.float64)[self.day]

    def number(self, name: str, low: float, high: float) -> float:
        """One number of this household, the same for every hazard."""
        return self._chance.between("house/" + name, 0, low, high)

    def choice(self, name: str, low: float, high: float) -> float:
        """One number of this run's hazard or judged days."""
        return self._chance.between(f"{self.hazard}/{name}", 0, low, high)

    def daily(self, name: str, low: float = 0.0, high: float = 1.0) -> Floats:
        """A number for each day, in [low, high)."""
        days = np.arange(DAYS)
        return low + (high - low) * self._halves(name, days, days < LEARNING_DAYS)

    def at(self, name: str, at_s: float, low: float, high: float) -> float:
        """A number for what begins at `at_s`, in [low, high)."""
        prefix = "" if at_s < JUDGED_S else f"{self.hazard}/"
        return self._chance.between(f"{prefix}at/{name}", int(at_s), low, high)

    def daily_normal(self, name: str) -> Floats:
        """A standard normal number for each day."""
        return _normal(self.daily(name + "/r"), self.daily(name + "/a"))

    def uniforms(self, name: str) -> Floats:
        """A number in [0, 1) for each step."""
        steps = np.arange(STEPS)
        return np.concatenate(
            [
                self._chance.uniform(name, steps[:_FIRST_STEP]),
                self._chance.uniform(f"{self.hazard}/{name}", steps[_FIRST_STEP:]),
            ]
        )

    def normals(self, name: str) -> Floats:
        """A standard normal number for each step."""
        return _normal(self.uniforms(name + "/r"), self.uniforms(name + "/a"))

    def wander(self, name: str, period_s: float) -> Floats:
        """A smooth random curve about 0, spread about 1, new knots every `period_s`; as `Chance.wander`."""
        position = self.at_s / period_s
        knot = np.floor(position).astype(np.int64)
        knots = self._chance.normal("wander/" + name, np.arange(knot[-1] + 2))
        share = 0.5 - 0.5 * np.cos(np.pi * (position - knot))
        return np.asarray(knots[knot] * (1.0 - share) + knots[knot + 1] * share)

    def _halves(self, name: str, index: Ints, is_learning: NDArray[np.bool_]) -> Floats:
        own = self._chance.uniform(f"{self.hazard}/{name}", index)
        return np.where(is_learning, self._chance.uniform(name, index), own)


def _normal(radius: Floats, angle: Floats) -> Floats:
    """Box-Muller."""
    return np.asarray(np.sqrt(-2.0 * np.log(1.0 - radius)) * np.cos(2.0 * np.pi * angle))
