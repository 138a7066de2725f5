"""The weather of two winter weeks: cold, fronts, rain."""

from __future__ import annotations

import numpy as np

from firmware_sim.benchmark.scene import Floats, Scene
from firmware_sim.benchmark.shapes import add_bump, follow


def outdoor(scene: Scene) -> Floats:
    """Cel: by season (coldest late in January), fronts every day or two, colder at five than at three."""
    season = 5.0 - 5.0 * np.sin(np.pi * np.clip(scene.season * 135.0 / 150.0, 0.0, 1.0))
    base = season + scene.number("climate", -4.0, 4.0)
    swing = scene.number("swing", 1.5, 4.5) * np.cos((scene.hour - 15.0) / 24.0 * 2.0 * np.pi)
    return base + swing + 2.8 * scene.wander("fronts", 40 * 3600.0) + 0.4 * scene.wander("clouds", 3 * 3600.0)


def rain(scene: Scene) -> Floats:
    """How much water comes into the ground, about 1 in heavy rain; fades over a day."""
    wet = np.zeros(len(scene.at_s))
    hours, amounts = scene.daily("rain/hour", 0.0, 24.0), scene.daily("rain/amount", 0.2, 1.0)
    for day in np.flatnonzero(scene.daily("rain") < scene.number("rains", 0.05, 0.35)):
        from_s = (day * 24.0 + hours[day]) * 3600.0
        add_bump(wet, from_s, from_s + 6 * 3600.0, float(amounts[day]), 2 * 3600.0, 14 * 3600.0)
    return wet


def sun(scene: Scene) -> Floats:
    """Warmth through a window, 0..1: about one o'clock on clear days."""
    clear = scene.daily("clear")[scene.day] ** 1.5
    shine = np.clip(np.cos((scene.hour - 12.7) / 9.0 * np.pi), 0.0, None) * clear
    return follow(shine * (0.7 + 0.3 * np.tanh(scene.wander("passing clouds", 900.0))), 2400.0)
