"""Water in pipes, and the small print of battery devices."""

from __future__ import annotations

import numpy as np

from firmware_sim.quantities.setting import Floats, Setting


def mains_flow(s: Setting, t: Floats) -> Floats:
    """L/min into the building: never quite none by day, nearly none at night."""
    hour = s.street.hour(t)
    demand = np.exp(-0.5 * ((hour - 7.3) / 1.2) ** 2) + 0.8 * np.exp(-0.5 * ((hour - 19.0) / 2.0) ** 2)
    return np.maximum(1.0 + 16.0 * demand + 2.0 * s.wander(t, 240), 0.0)


def mains_pressure(s: Setting, t: Floats) -> Floats:
    """bar; falls a little with demand."""
    return 3.9 - 0.02 * mains_flow(s, t) + 0.02 * s.wander(t, 600)


def tap_flow(s: Setting, t: Floats) -> Floats:
    """L/min of one flat: a tap for half a minute now and then, a shower in the morning."""
    hour = s.street.hour(t)
    awake = (hour > 6.0) & (hour < 22.5)
    tap = s.happens(t, 30.0, np.where(awake, 0.05, 0.004), "tap")
    shower = s.happens(t, 480.0, np.where((hour > 6.5) & (hour < 8.0), 0.15, 0.0), "shower")
    return 5.5 * tap + 8.0 * shower


def battery(s: Setting, t: Floats) -> Floats:
    """%; loses a little each day, from full at some day of its own."""
    return 100.0 - 70.0 * s.phase(t, 400 * 86_400.0, "battery")


def link_quality(s: Setting, t: Floats) -> Floats:
    """0..255 as Zigbee radios tell it."""
    return np.clip(128.0 + 18.0 * s.wander(t, 45), 0.0, 255.0)


def steady(s: Setting, t: Floats) -> Floats:
    """A number that stands still."""
    return np.full(np.shape(t), s.number("base", 0.0))
