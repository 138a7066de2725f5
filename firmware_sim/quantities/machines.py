"""Machines: boiler, lift, freezer, sump pump, switchboard."""

from __future__ import annotations

import numpy as np

from firmware_sim.quantities.setting import Floats, Setting

BURNER_S = 720.0
SUMP_S = 2700.0
COMPRESSOR_S = 1200.0


def burner(s: Setting, t: Floats) -> Floats:
    """1 while the flame burns; longer in each cycle the more heat is wanted."""
    return (s.phase(t, BURNER_S, "burner") < 0.3 + 0.5 * s.street.heating(t)).astype(np.float64)


def boiler_flow(s: Setting, t: Floats) -> Floats:
    """Cel of the water leaving the boiler: rises while it burns, falls while it rests."""
    phase, share = s.phase(t, BURNER_S, "burner"), 0.3 + 0.5 * s.street.heating(t)
    saw = np.where(phase < share, phase / share, 1.0 - (phase - share) / (1.0 - share))
    return 56.0 + 10.0 * s.street.heating(t) + 4.0 * saw + 0.3 * s.wander(t, 300)


def boiler_return(s: Setting, t: Floats) -> Floats:
    """Cel of the water coming back: what the rooms left of it a little earlier."""
    return boiler_flow(s, t - 120.0) - 9.0 - 5.0 * s.street.heating(t)


def boiler_pressure(s: Setting, t: Floats) -> Floats:
    """bar; warm water needs more room."""
    return 1.30 + 0.006 * (boiler_flow(s, t) - 56.0) + 0.01 * s.wander(t, 3600)


def sump_level(s: Setting, t: Floats) -> Floats:
    """cm in the pump sump: seeps in slowly, is pumped out in a minute."""
    phase = s.phase(t, SUMP_S, "sump")
    return np.where(phase < 0.97, 6.0 + 12.0 * phase / 0.97, 18.0 - 12.0 * (phase - 0.97) / 0.03)


def sump_pump(s: Setting, t: Floats) -> Floats:
    """1 while it pumps."""
    return (s.phase(t, SUMP_S, "sump") >= 0.97).astype(np.float64)


def lift_moving(s: Setting, t: Floats) -> Floats:
    """1 while the cabin travels; people leave in the morning and come home in the evening."""
    hour = s.street.hour(t)
    night = (hour < 6.0) | (hour > 23.0)
    return s.happens(t, 20.0, np.where(night, 0.01, 0.16), "lift")


def lift_vibration(s: Setting, t: Floats) -> Floats:
    """mm/s of the cabin's guide shoes."""
    return 0.25 + 1.1 * lift_moving(s, t) + 0.05 * np.abs(s.wander(t, 15))


def lift_current(s: Setting, t: Floats) -> Floats:
    """A of the motor; the load is another one each ride."""
    load = s.street.chance.uniform(f"{s.place}/load", np.floor(t / 20.0))
    return 0.6 + lift_moving(s, t) * (6.0 + 6.0 * load)


def lift_motor_temperature(s: Setting, t: Floats) -> Floats:
    """Cel; follows how busy the hour is."""
    hour = s.street.hour(t)
    busy = np.exp(-0.5 * ((hour - 8.0) / 1.5) ** 2) + np.exp(-0.5 * ((hour - 18.0) / 2.0) ** 2)
    return 29.0 + 7.0 * busy + 0.3 * s.wander(t, 1200)


def lift_floor(s: Setting, t: Floats) -> Floats:
    """Floor it stands at, 0..6; another one after each ride."""
    slot = np.floor(t / 20.0)
    return np.floor(7.0 * s.street.chance.uniform(f"{s.place}/floor", np.floor(slot / 6.0)))


def freezer_air(s: Setting, t: Floats) -> Floats:
    """Cel of the air: a saw with the compressor, a defrost every eight hours."""
    phase = s.phase(t, COMPRESSOR_S, "compressor")
    saw = np.where(phase < 0.55, 1.0 - phase / 0.55, (phase - 0.55) / 0.45)
    defrost = np.clip(1.0 - np.abs(s.phase(t, 8 * 3600.0, "defrost") - 0.02) / 0.012, 0.0, 1.0)
    return s.number("base", -19.5) + 1.6 * saw + 3.0 * defrost + 0.1 * s.wander(t, 600)


def freezer_product(s: Setting, t: Floats) -> Floats:
    """Cel inside the goods: hardly moves."""
    return s.number("base", -19.5) + 1.0 + 0.15 * s.wander(t, 3600)


def compressor_power(s: Setting, t: Floats) -> Floats:
    """W; runs rather more than half of the time."""
    return np.where(s.phase(t, COMPRESSOR_S, "compressor") < 0.55, 410.0 + 12.0 * s.wander(t, 60), 9.0)


def voltage(s: Setting, t: Floats) -> Floats:
    """V; sags a little in the evening."""
    return 231.0 - 2.5 * np.exp(-0.5 * ((s.street.hour(t) - 19.0) / 1.5) ** 2) + 0.8 * s.wander(t, 300)


def board_current(s: Setting, t: Floats) -> Floats:
    """A on the feeder of the building."""
    return 14.0 + s.number("people", 46.0) * s.street.in_public(t, s.place) + 1.5 * s.wander(t, 120)


def board_power(s: Setting, t: Floats) -> Floats:
    """kW."""
    return voltage(s, t) * board_current(s, t) / 1000.0 * 0.97


def cable_temperature(s: Setting, t: Floats) -> Floats:
    """Cel at the joint; warmed by the square of the current."""
    return 21.0 + 0.0035 * board_current(s, t - 300.0) ** 2 + 0.2 * s.wander(t, 900)
