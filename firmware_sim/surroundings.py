"""The street's day: local hour, weather, who is at home, what is on the stove. Pure functions of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firmware_sim.chance import Chance

Floats = NDArray[np.float64]
DAY_S = 86_400.0


def bump(hour: Floats, centre: float, width: float) -> Floats:
    """A bell of height 1 about `centre` o'clock, across midnight too; `width` is its deviation in hours."""
    away = (hour - centre + 12.0) % 24.0 - 12.0
    return np.asarray(np.exp(-0.5 * (away / width) ** 2))


def ramp(hour: Floats, start: float, end: float) -> Floats:
    """0 before `start` o'clock, 1 after `end`, straight between."""
    return np.asarray(np.clip((hour - start) / (end - start), 0.0, 1.0))


@dataclass(frozen=True)
class Surroundings:
    """What everything in the street feels. Times are UTC seconds since 1970, floats or arrays.

    >>> street = Surroundings(Chance(1), utc_offset_s=8 * 3600, outdoor_c=12.0)
    >>> round(float(street.hour(0.0)), 1)
    8.0
    """

    chance: Chance
    utc_offset_s: float
    outdoor_c: float

    def hour(self, at_s: ArrayLike) -> Floats:
        """Local hour of day in [0, 24)."""
        return np.asarray(((np.asarray(at_s, dtype=np.float64) + self.utc_offset_s) % DAY_S) / 3600.0)

    def weekend(self, at_s: ArrayLike) -> Floats:
        """1 on Saturday and Sunday, local, else 0."""
        day = np.floor((np.asarray(at_s, dtype=np.float64) + self.utc_offset_s) / DAY_S)
        return np.asarray(((day + 3) % 7 >= 5).astype(np.float64))

    def outdoor(self, at_s: ArrayLike) -> Floats:
        """Outdoor air, Cel: coldest at five, warmest in the afternoon, with weather passing."""
        swing = 4.0 * np.cos((self.hour(at_s) - 15.0) / 24.0 * 2 * np.pi)
        return self.outdoor_c + swing + 1.5 * self.chance.wander("weather", at_s, 9 * 3600)

    def at_home(self, at_s: ArrayLike, who: str) -> Floats:
        """Share of people at home, 0..1: out on weekdays between half past eight and six."""
        hour = self.hour(at_s)
        out = ramp(hour, 7.5, 9.0) * (1.0 - ramp(hour, 16.5, 18.5)) * (1.0 - 0.7 * self.weekend(at_s))
        return np.asarray(np.clip(1.0 - 0.8 * out + 0.06 * self.chance.wander(who, at_s, 1800), 0.0, 1.0))

    def in_public(self, at_s: ArrayLike, where: str) -> Floats:
        """How busy a shop, hall or canteen is, 0..1."""
        hour = self.hour(at_s)
        busy = 0.9 * bump(hour, 10.0, 1.6) + 0.6 * bump(hour, 15.0, 1.8) + 0.5 * bump(hour, 18.5, 1.2)
        return np.asarray(np.clip(busy + 0.08 * self.chance.wander(where, at_s, 1200), 0.0, 1.2))

    def cooking(self, at_s: ArrayLike, kitchen: str) -> Floats:
        """How much is on the stove, 0..1: three meals, never quite on time."""
        late = 0.3 * self.chance.wander(kitchen + "/late", at_s, DAY_S)
        hour = self.hour(at_s) - late
        meals = 0.5 * bump(hour, 7.0, 0.3) + 0.9 * bump(hour, 11.7, 0.4) + 1.0 * bump(hour, 18.0, 0.5)
        return np.asarray(np.clip(meals, 0.0, 1.0))

    def heating(self, at_s: ArrayLike) -> Floats:
        """Demand for heat, 0..1: lowered at night, more when it is cold outside."""
        hour = self.hour(at_s)
        day = ramp(hour, 5.5, 7.0) * (1.0 - 0.6 * ramp(hour, 21.5, 23.0))
        return np.asarray(np.clip((0.35 + 0.65 * day) * (20.0 - self.outdoor(at_s)) / 16.0, 0.0, 1.0))
