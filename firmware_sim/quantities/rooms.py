"""Rooms: warmth, damp, breath, smoke, gas, comings and goings."""

from __future__ import annotations

import numpy as np

from firmware_sim.quantities.setting import Floats, Setting


def outdoor_temperature(s: Setting, t: Floats) -> Floats:
    """Cel."""
    return s.street.outdoor(t)


def room_temperature(s: Setting, t: Floats) -> Floats:
    """Cel; follows the heating's programme and a little of the weather, up to `people` with people."""
    home = s.street.at_home(t, s.place)
    heated = s.number("base", 20.5) + 1.2 * s.street.heating(t) + s.number("people", 0.6) * home
    return heated + 0.06 * (s.street.outdoor(t) - s.street.outdoor_c) + 0.15 * s.wander(t, 2400)


def kitchen_temperature(s: Setting, t: Floats) -> Floats:
    """Cel; a room with a stove in it."""
    return room_temperature(s, t) + s.number("stove", 3.0) * s.street.cooking(t, s.place)


def cellar_temperature(s: Setting, t: Floats) -> Floats:
    """Cel; hardly moves."""
    return s.number("base", 14.0) + 0.1 * (s.street.outdoor(t) - s.street.outdoor_c) + 0.2 * s.wander(t, 7200)


def room_humidity(s: Setting, t: Floats) -> Floats:
    """%RH; people and stoves make it rise."""
    damp = s.number("base", 44.0) + 4.0 * s.street.at_home(t, s.place) + 2.0 * s.wander(t, 3600)
    return damp + s.number("stove", 0.0) * s.street.cooking(t, s.place)


def cellar_humidity(s: Setting, t: Floats) -> Floats:
    """%RH."""
    return s.number("base", 63.0) + 1.5 * s.wander(t, 7200)


def carbon_dioxide(s: Setting, t: Floats) -> Floats:
    """ppm; breath of those inside, half an hour late because air mixes slowly."""
    inside = (
        s.street.in_public(t - 900, s.place) if s.number("public", 0) else s.street.at_home(t - 900, s.place)
    )
    return 430.0 + s.number("people", 450.0) * inside + 12.0 * s.wander(t, 900)


def smoke(s: Setting, t: Floats) -> Floats:
    """Obscuration, %/m; a busy stove shows, a calm room does not."""
    haze = 0.08 + s.number("stove", 0.25) * s.street.cooking(t, s.place) + 0.015 * s.wander(t, 600)
    return np.maximum(haze, 0.0)


def carbon_monoxide(s: Setting, t: Floats) -> Floats:
    """ppm; gas flames make a little."""
    return np.maximum(
        0.8 + s.number("stove", 1.8) * s.street.cooking(t, s.place) + 0.2 * s.wander(t, 900), 0.0
    )


def gas(s: Setting, t: Floats) -> Floats:
    """Methane, % of the lower explosive limit."""
    return np.maximum(0.4 + 0.5 * s.street.cooking(t, s.place) + 0.1 * s.wander(t, 1200), 0.0)


def motion(s: Setting, t: Floats) -> Floats:
    """1 while somebody moves about; nights are still but for one or two walks."""
    hour = s.street.hour(t)
    awake = np.where((hour > 6.0) & (hour < 22.5), 0.55, 0.03)
    return s.happens(t, 120.0, awake * s.street.at_home(t, s.place), "motion")


def door_closed(s: Setting, t: Floats) -> Floats:
    """1 = contact closed, as door sensors send it."""
    hour = s.street.hour(t)
    coming = np.where((hour > 6.5) & (hour < 21.0), s.number("comings", 0.015), 0.0)
    return 1.0 - s.happens(t, 40.0, coming, "door")


def light(s: Setting, t: Floats) -> Floats:
    """lx at a window."""
    hour = s.street.hour(t)
    sun = np.clip(np.sin((hour - 6.0) / 12.0 * np.pi), 0.0, None)
    return np.maximum(5.0 + 400.0 * sun * (1.0 + 0.2 * s.wander(t, 1800)), 0.0)
