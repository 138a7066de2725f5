"""The household's rhythm: when they rise, cook, shower, air the rooms, leave; drawn for each day.

Two or three strong fryings a week, daily airing and showers are what the alarms of a real flat have to live
with; each happens in the learning days too, at its natural frequency, and at least once in the judged days.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware_sim.benchmark.scene import DAY_S, DAYS, JUDGED_DAYS, LEARNING_DAYS, Floats, Scene

HOUR_S = 3600.0


@dataclass(frozen=True)
class Cooking:
    """A meal on the stove: `vigour` about 1, `smoke` %/m that its puffs reach in a still room (0: none)."""

    from_s: float
    to_s: float
    vigour: float
    smoke: float


@dataclass(frozen=True)
class Visit:
    """From when to when something goes on, and how strongly (0..1)."""

    from_s: float
    to_s: float
    share: float


class Household:
    """The people of flat 101 and what they do. Daily columns have one element for each of the 14 days."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.people = int(scene.number("people", 1.0, 4.99))
        late = 1.2 * scene.is_weekend_day
        self.wake_h: Floats = scene.number("wake", 6.0, 7.4) + late + 0.25 * scene.daily_normal("wake")
        self.bed_h: Floats = scene.number("bed", 22.0, 23.6) + 0.3 * scene.daily_normal("bed")
        self.leave_h: Floats = (
            self.wake_h + scene.number("breakfast", 0.8, 1.6) + scene.daily("leave", 0, 0.3)
        )
        self.back_h: Floats = scene.number("back", 16.8, 18.8) + 0.4 * scene.daily_normal("back")
        works = ~scene.is_weekend_day & (scene.daily("works") < scene.number("works", 0.6, 1.0))
        outing = scene.is_weekend_day & (scene.daily("outing") < 0.5)
        self.is_out = works | outing
        self.back_h = np.where(outing, self.leave_h + 2.0 + scene.daily("outing/h", 0.0, 4.0), self.back_h)
        self._stays = scene.number("stays", 0.0, 0.5) * (self.people > 2)

    def at(self, day: int, hour: float) -> float:
        """Seconds since the run began."""
        return day * DAY_S + float(hour) * HOUR_S

    def home(self) -> Floats:
        """Share of the household at home, for each step."""
        day, hour = self._scene.day, self._scene.hour
        is_away = self.is_out[day] & (hour > self.leave_h[day]) & (hour < self.back_h[day])
        return np.where(is_away, self._stays, 1.0)

    def awake(self) -> Floats:
        """1 between rising and going to bed, for each step."""
        day, hour = self._scene.day, self._scene.hour
        return ((hour > self.wake_h[day]) & (hour < self.bed_h[day])).astype(np.float64)

    def cookings(self) -> list[Cooking]:
        """All meals that are cooked; some of them in a hot wok."""
        scene = self._scene
        forced = LEARNING_DAYS + int(scene.choice("hot wok", 0.0, JUDGED_DAYS))
        heat, share = scene.number("wok", 0.8, 2.8), scene.number("wok/share", 0.25, 0.55)
        found = []
        for meal, hours, minutes, likely, smoky in (
            ("breakfast", self.wake_h + 0.4, 12.0, 0.75, 0.1),
            ("lunch", np.full(DAYS, scene.number("lunch", 11.2, 12.2)), 25.0, 0.8, 0.8),
            ("dinner", np.maximum(scene.number("dinner", 17.4, 18.8), self.back_h + 0.3), 35.0, 0.92, 1.0),
        ):
            begin = hours + 0.3 * scene.daily_normal(meal)
            length = minutes * np.exp(0.3 * scene.daily_normal(meal + "/length"))
            vigour = np.exp(0.25 * scene.daily_normal(meal + "/vigour"))
            smoke = heat * np.exp(0.35 * scene.daily_normal(meal + "/smoke"))
            is_cooked = scene.daily(meal + "/cooked") < likely
            is_smoky = scene.daily(meal + "/wok") < share * smoky
            if meal == "lunch":
                is_cooked &= ~self.is_out
            if meal == "dinner":
                is_cooked[forced] = is_smoky[forced] = True
            for day in np.flatnonzero(is_cooked):
                from_s = self.at(int(day), begin[day])
                wok = float(smoke[day]) if is_smoky[day] else 0.0
                found.append(Cooking(from_s, from_s + 60.0 * float(length[day]), float(vigour[day]), wok))
        return found

    def showers(self) -> list[Visit]:
        """One a person and day, in the morning or in the evening; `share` is how steamy."""
        scene, found = self._scene, []
        for person in range(self.people):
            name = f"shower/{person}"
            is_early = scene.number(name, 0.0, 1.0) < 0.45
            hours = self.wake_h + 0.2 + 0.3 * person if is_early else self.bed_h - 0.7 - 0.5 * person
            hours = hours + 0.3 * scene.daily_normal(name + "/late")
            minutes = scene.number(name + "/min", 5.0, 11.0) * np.exp(
                0.25 * scene.daily_normal(name + "/min")
            )
            happens = scene.daily(name + "/happens") < 0.85
            happens[LEARNING_DAYS + int(scene.choice("shower", 0.0, JUDGED_DAYS))] = True
            share = scene.daily(name + "/steam", 0.6, 1.0)
            for day in np.flatnonzero(happens):
                from_s = self.at(int(day), hours[day])
                found.append(Visit(from_s, from_s + 60.0 * float(minutes[day]), float(share[day])))
        return found

    def airings(self) -> list[Visit]:
        """The living room's window: most mornings for some minutes, now and then wide and long."""
        scene, found = self._scene, []
        forced = LEARNING_DAYS + int(scene.choice("window", 0.0, JUDGED_DAYS))
        for name, hours, likely, low, high in (
            ("morning", self.wake_h + 0.5, scene.number("airs", 0.4, 0.95), 5.0, 15.0),
            ("long", 9.0 + 11.0 * scene.daily("airing/hour"), 0.3, 15.0, 50.0),
        ):
            minutes = scene.daily(f"airing/{name}/min", low, high)
            happens = scene.daily(f"airing/{name}") < likely
            if name == "long":
                happens[forced] = True
                hours = np.where(
                    self.is_out & (hours > self.leave_h), np.maximum(hours, self.back_h + 0.2), hours
                )
            share = scene.daily(f"airing/{name}/wide", 0.25, 1.0)
            for day in np.flatnonzero(happens):
                from_s = self.at(int(day), hours[day])
                found.append(Visit(from_s, from_s + 60.0 * float(minutes[day]), float(share[day])))
        return found
