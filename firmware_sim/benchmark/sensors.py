"""From what is to what is told: each sensor's lag, offset, noise, steps, and the readings that are lost.

All of it acts alike in learning days, calm hours and hazards, so nothing but the quantity itself tells them
apart.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware_sim.benchmark.house import HouseChannel, HouseSensor
from firmware_sim.benchmark.scene import PERIOD_S, Floats, Scene
from firmware_sim.benchmark.shapes import follow


def told(scene: Scene, channel: HouseChannel, real: Floats) -> Floats:
    """Values as the device tells them, in whole steps of the channel's resolution."""
    sensor = channel.sensor
    seen = follow(real, sensor.lag_s) if sensor.lag_s > 0 else real
    seen = seen + sensor.offset * float(scene.number(f"offset/{channel.name}", -1.7, 1.7))
    if sensor.noise > 0 or sensor.relative > 0:
        worse = scene.number(f"noise/{channel.name}", 0.7, 1.5)
        deviation = np.hypot(sensor.noise, sensor.relative * seen)
        seen = seen + worse * deviation * scene.normals(f"noise/{channel.name}")
    return in_steps(np.clip(seen, sensor.minimum, sensor.maximum), sensor)


def in_steps(values: Floats, sensor: HouseSensor) -> Floats:
    """Rounded to the resolution, as the nearest float to the decimal number."""
    steps = np.rint(values / sensor.resolution) + 0.0
    inverse = round(1.0 / sensor.resolution)
    return np.asarray(steps / inverse if inverse >= 1 else steps * sensor.resolution)


def lost_steps(scene: Scene, device: str) -> NDArray[np.bool_]:
    """Readings that never came: two in a thousand by themselves, and radio gaps of minutes every few days."""
    share = scene.number(f"lost/{device}", 0.0005, 0.004)
    lost = scene.uniforms(f"lost/{device}") < share
    starts = np.flatnonzero(scene.uniforms(f"gap/{device}") < 1.0 / (5.0 * 86_400.0 / PERIOD_S))
    for start in starts:
        lost[start : start + int(scene.at(f"gap/{device}", start * PERIOD_S, 3.0, 25.0))] = True
    return lost
