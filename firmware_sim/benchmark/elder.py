"""Flat 302, an old person alone: motion, door, water; lying helpless is that nothing comes.

Nights are still for hours, walks last for hours, and television is watched sitting: silence alone says
little. Of people over 90 who fell alone, one in three lay for over an hour and many for half a day (Fleming
and Brayne, BMJ 2008); systems on the market wait 12 to 24 h without any sign.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from firmware_sim.benchmark.household import HOUR_S, Visit
from firmware_sim.benchmark.scene import DAY_S, PERIOD_S, Floats, Scene
from firmware_sim.benchmark.shapes import add_pulse

if TYPE_CHECKING:
    from firmware_sim.benchmark.onset import Onset


class Elder:
    """Rhythm of the days."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.wake_h = scene.number("elder/wake", 5.0, 7.0) + 0.3 * scene.daily_normal("elder/wake")
        self.bed_h = scene.number("elder/bed", 20.8, 22.6) + 0.35 * scene.daily_normal("elder/bed")
        self.nap_h = scene.number("elder/nap", 12.4, 13.5) + 0.2 * scene.daily_normal("elder/nap")
        self.nap_long_h = scene.daily("elder/nap/long", 0.5, 1.8)

    def outings(self) -> list[Visit]:
        """Walks in the morning, errands in the afternoon, now and then a whole day."""
        scene, found = self._scene, []
        for name, hour, likely, low, high in (
            ("walk", scene.number("elder/walk", 8.0, 9.8), scene.number("elder/walks", 0.4, 0.95), 0.4, 2.5),
            ("errand", scene.number("elder/errand", 14.5, 16.0), 0.35, 0.5, 3.0),
        ):
            begin = hour + 0.4 * scene.daily_normal("elder/" + name)
            long = low * (high / low) ** scene.daily(f"elder/{name}/long")
            if name == "walk":
                long = np.where(scene.daily("elder/day out") < 0.06, 6.5, long)
            for day in np.flatnonzero(scene.daily(f"elder/{name}/goes") < likely):
                from_s = day * DAY_S + float(begin[day]) * HOUR_S
                found.append(Visit(from_s, from_s + float(long[day]) * HOUR_S, 1.0))
        return sorted(found, key=lambda visit: visit.from_s)

    def at_home_from(self, at_s: float) -> float:
        """`at_s`, or twenty minutes after coming home when out then: who falls at home is at home."""
        for outing in self.outings():
            if outing.from_s - 300.0 <= at_s < outing.to_s + 300.0:
                at_s = outing.to_s + 1200.0
        return at_s

    def night_visits(self) -> list[Visit]:
        """To the toilet at night."""
        scene, found = self._scene, []
        for number in range(3):
            share = scene.daily(f"elder/night/{number}")
            for day in np.flatnonzero(
                scene.daily(f"elder/up/{number}") < scene.number(f"elder/up/{number}", 0, 0.8)
            ):
                asleep_h = 24.0 - self.bed_h[day] + scene.number("elder/wake", 5.0, 7.0)
                from_s = day * DAY_S + HOUR_S * float(self.bed_h[day] + asleep_h * (0.15 + 0.75 * share[day]))
                found.append(Visit(from_s, from_s + scene.at("elder/up", from_s, 180.0, 540.0), 1.0))
        return found


def elder_quantities(scene: Scene, elder: Elder, onset: Onset) -> dict[str, Floats]:
    """Motion (1: seen in the last half minute), door (1: was open), flow L/min."""
    hour, day = scene.hour, scene.day
    is_awake = (hour > elder.wake_h[day]) & (hour < elder.bed_h[day])
    is_napping = (hour > elder.nap_h[day]) & (hour < elder.nap_h[day] + elder.nap_long_h[day])
    is_busy = scene.wander("elder/busy", 1500.0) > scene.number("elder/sits", -0.6, 0.3)
    seen = np.where(is_awake & ~is_napping, np.where(is_busy, 0.4, 0.06), 0.0008)
    water = np.where(is_awake & ~is_napping, np.where(is_busy, 0.035, 0.006), 0.0)
    door = np.zeros(len(hour))
    for outing in elder.outings():
        where = slice(int(outing.from_s / PERIOD_S), int(outing.to_s / PERIOD_S))
        seen[where], water[where] = 0.0, 0.0
        for at_s in (outing.from_s, outing.to_s):
            add_pulse(door, at_s, at_s + scene.at("elder/door", at_s, 8.0, 50.0), 1.0)
    visits = _visitors(scene, elder)
    for visit in visits:
        add_pulse(door, visit.from_s, visit.from_s + 25.0, 1.0)
        add_pulse(door, visit.to_s, visit.to_s + 25.0, 1.0)
    for up in elder.night_visits():
        where = slice(int(up.from_s / PERIOD_S), int(up.to_s / PERIOD_S) + 1)
        seen[where] = 0.6
        water[int(up.to_s / PERIOD_S) - 2 : int(up.to_s / PERIOD_S)] = 0.9
    lies = onset.lasts() > 0 if onset.is_("lying_helpless") else np.zeros(len(hour), dtype=np.bool_)
    # Where the sensor sees the floor, an arm that moves now and then is told as motion.
    seen = np.where(lies, onset.size("twitch", 1e-4, 2e-3) if lies.any() else 0.0, seen)
    if lies.any():  # somebody has come
        add_pulse(door, onset.to_s, onset.to_s + 60.0, 1.0)
    return {
        "elder_motion": (scene.uniforms("elder/motion") < seen).astype(np.float64),
        "elder_door": np.where(lies, 0.0, np.clip(np.ceil(door), 0.0, 1.0)),
        "elder_flow": _flow(scene, np.where(lies, 0.0, water)) + _left_open(onset),
    }


def _visitors(scene: Scene, elder: Elder) -> list[Visit]:
    hours = scene.daily("elder/visitor", 9.0, 19.0)
    days = np.flatnonzero(scene.daily("elder/visited") < scene.number("elder/visited", 0.05, 0.5))
    return [
        Visit(day * DAY_S + hours[day] * HOUR_S, day * DAY_S + (hours[day] + 0.8) * HOUR_S, 1.0)
        for day in days
    ]


def _flow(scene: Scene, likely: Floats) -> Floats:
    much = scene.uniforms("elder/tap/much")
    return np.where(scene.uniforms("elder/tap") < likely, 0.6 + 6.0 * much**1.5, 0.0)


def _left_open(onset: Onset) -> Floats:
    if not onset.is_("tap_left_open", "elder"):
        return np.zeros(len(onset.scene.at_s))
    return onset.size("tap", 2.0, 9.0) * onset.lasts()
