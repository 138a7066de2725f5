"""Water: the flat's meter, the house's main, the sump; taps, showers, bursts, floods.

Magnitudes. A basin tap gives 4-8 L/min, a shower 6-12, a cistern 6-9 for a minute. A burst half-inch hose at
3-4 bar gives 15-40 L/min, a riser 30-90, and the pressure behind the meter falls by 0.3-1.5 bar. A pump sump
of a quarter square metre takes in a few centimetres an hour when dry, tens in rain; a drain that presses back
brings 0.3-3 cm/min.
"""

from __future__ import annotations

import numpy as np

from firmware_sim.benchmark.household import Household
from firmware_sim.benchmark.onset import Onset
from firmware_sim.benchmark.scene import PERIOD_S, Floats, Ints, Scene
from firmware_sim.benchmark.shapes import add_pulse, follow
from firmware_sim.benchmark.weather import rain
from firmware_sim.hazards import late, straight

_PUMPS_FOR = 3  # steps that one emptying of the sump takes


def flat_flow(scene: Scene, house: Household, onset: Onset) -> Floats:
    """L/min at the flat's meter, as the mean over each half minute."""
    flow = np.zeros(len(scene.at_s))
    busy = house.home() * (0.02 + 0.98 * house.awake()) * (0.6 + 0.2 * house.people)
    drawn, much = scene.uniforms("tap"), scene.uniforms("tap/much")
    flow += np.where(drawn < scene.number("taps", 0.03, 0.06) * busy, 0.5 + 6.5 * much**1.5, 0.0)
    flushes = np.flatnonzero(scene.uniforms("cistern") < 0.006 * busy)
    for ahead in (0, 1):
        flow[np.minimum(flushes + ahead, len(flow) - 1)] += 6.5
    for shower in house.showers():
        add_pulse(flow, shower.from_s, shower.to_s, 6.0 + 6.0 * scene.number("shower/head", 0.0, 1.0))
    for meal in house.cookings():
        for wash in range(4):
            at_s = scene.at(f"wash/{wash}", meal.from_s, meal.to_s, meal.to_s + 900.0)
            add_pulse(flow, at_s, at_s + scene.at(f"wash/{wash}/long", meal.from_s, 20.0, 150.0), 5.0)
    _wash_clothes(scene, house, flow)
    if onset.is_("burst_pipe", "flat"):
        flow += onset.size("flow", 14.0, 40.0) * onset.lasts() * (1.0 + 0.02 * scene.wander("burst", 120.0))
    if onset.is_("tap_left_open", "flat"):
        flow += onset.size("tap", 2.0, 9.0) * onset.lasts()
    return flow


def _wash_clothes(scene: Scene, house: Household, flow: Floats) -> None:
    """A machine that fills four times within the hour and a half."""
    hours = scene.daily("laundry/hour", 8.0, 21.0)
    for day in np.flatnonzero(scene.daily("laundry") < 0.15 + 0.1 * house.people):
        for fill in range(4):
            at_s = house.at(int(day), hours[day]) + 1400.0 * fill
            add_pulse(flow, at_s, at_s + 170.0, 7.5)


def mains(scene: Scene, flats: Floats, onset: Onset) -> dict[str, Floats]:
    """Flow L/min and pressure bar of the house: the two flats with meters here and a dozen without."""
    hour = scene.hour - 1.2 * scene.weekend
    day = np.exp(-0.5 * ((hour - 7.4) / 1.1) ** 2) + 0.45 * np.exp(-0.5 * ((hour - 12.3) / 1.3) ** 2)
    demand = (
        0.05 + day + 0.9 * np.exp(-0.5 * ((hour - 19.8) / 2.0) ** 2) + 0.18 * ((hour > 6) & (hour < 23.5))
    )
    others = scene.number("demand", 7.0, 20.0) * demand * np.exp(0.45 * scene.wander("demand", 240.0))
    taps = scene.uniforms("others/tap") < 0.25 * demand
    others = others + np.where(taps, 8.0 * scene.uniforms("others/much"), 0.0)
    flow = others + flats
    lost = np.zeros(len(flow))
    if onset.is_("burst_pipe", "riser"):
        lost = onset.size("flow", 30.0, 90.0) * onset.lasts() * (1.0 + 0.02 * scene.wander("burst", 120.0))
    if onset.is_("burst_pipe"):
        fall = onset.size("pressure", 0.3, 1.4) * onset.lasts()
    else:
        fall = np.zeros(len(flow))
    flow = flow + lost
    static = scene.number("static", 3.3, 4.3) + 0.03 * scene.wander("pressure", 3600.0)
    return {"mains_flow": flow, "mains_pressure": np.maximum(static - 0.008 * flow - fall, 0.2)}


def sump(scene: Scene, onset: Onset) -> dict[str, Floats]:
    """Level cm, pump 1 while it runs, humidity of the cellar."""
    seeps = scene.number("seeps", 0.03, 0.18) * np.exp(0.25 * scene.wander("seeps", 8.0 * 3600.0))
    inflow = seeps + scene.number("rain gets in", 0.1, 0.9) * rain(scene)  # cm a minute
    if onset.is_("burst_pipe", "riser"):
        inflow = inflow + onset.size("inflow", 0.2, 1.2) * onset.strength(straight, 600.0)
    low, span = scene.number("sump/low", 5.0, 9.0), scene.number("sump/span", 9.0, 15.0)
    filled = np.cumsum(inflow * PERIOD_S / 60.0) / span + scene.number("sump/phase", 0.0, 1.0)
    since = _steps_since_start(filled)
    pumps = since < _PUMPS_FOR
    level = low + span * np.where(pumps, 1.0 - (since + 0.5) / _PUMPS_FOR, filled % 1.0)
    level, pump = _flooded(onset, level, pumps.astype(np.float64), inflow)
    damp = scene.number("cellar/rh", 54.0, 70.0) + 1.5 * scene.wander("cellar/rh", 7.0 * 3600.0)
    damp = damp + 6.0 * follow(rain(scene), 6.0 * 3600.0)
    if onset.is_("basement_flooding") or onset.is_("burst_pipe", "riser"):
        damp = damp + onset.size("damp", 6.0, 22.0) * onset.strength(late, 3.0 * 3600.0)
    return {"sump_level": level, "sump_pump": pump, "cellar_humidity": np.minimum(damp, 99.0)}


def _steps_since_start(filled: Floats) -> Ints:
    """Steps since the pump last started, which is where `filled` passed a whole number."""
    index = np.arange(len(filled))
    starts = np.zeros(len(filled), dtype=np.int64)
    starts[1:] = np.where(np.floor(filled[1:]) > np.floor(filled[:-1]), index[1:], 0)
    last = np.maximum.accumulate(starts)
    return np.where(last > 0, index - last, len(filled))


def _flooded(onset: Onset, level: Floats, pump: Floats, inflow: Floats) -> tuple[Floats, Floats]:
    """A drain that presses back against a running pump, or a pump that does not start any more."""
    if not onset.is_("basement_flooding"):
        return level, pump
    at, during = onset.scene.at_s, onset.lasts() > 0
    if onset.variant == "backflow":
        deepest = onset.size("deepest", 45.0, 160.0)
        rate = onset.size("rate", 0.25, 2.5) / 60.0
        depth = deepest * (1.0 - np.exp(-rate * np.clip(at - onset.from_s, 0.0, None) / deepest))
    else:  # found out because the ground is wet
        more = onset.size("inflow", 0.08, 0.5)
        depth = np.cumsum(np.where(during, (inflow + more) * PERIOD_S / 60.0, 0.0))
    water = float(level[int(np.argmax(during))]) + depth
    left = _emptied(onset, water)
    is_wet = during | (left > level)
    runs = 1.0 if onset.variant == "backflow" else np.where(during, 0.0, 1.0)
    return np.where(during, water, np.maximum(left, level)), np.where(is_wet, runs, pump)


def _emptied(onset: Onset, water: Floats) -> Floats:
    """What is left while it is pumped out after the end: two centimetres a minute."""
    at = onset.scene.at_s
    after = at >= onset.to_s
    highest = float(water[int(np.argmax(after))])
    return np.where(after, highest - 2.0 / 60.0 * (at - onset.to_s), 0.0)
