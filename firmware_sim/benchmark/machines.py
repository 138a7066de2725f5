"""Machines: boiler, cold room, lift, switchboard, and how they fail.

Magnitudes. EN 50291 alarms on carbon monoxide at 50 ppm after 60-90 min, 100 after 10-40, 300 within 3; a
blocked flue makes 50-500 in a boiler room. A walk-in cold room at -20 Cel whose compressor stops gains 4-8 K
in the first hour or two, then 0.5-1.5 K an hour while the goods give way; quick frozen food is to stay at
-18, -15 for short (directive 89/108/EEC). Lift guides: about 1 mm/s rms riding, 2.8-4.5 is the border of
"unsatisfactory" for such machines (ISO 10816). A bolted joint that comes loose heats with current squared
times a contact resistance that grows by a factor of 3-6; PVC insulation is good for 70 Cel.
"""

from __future__ import annotations

import numpy as np

from firmware_sim.benchmark.household import HOUR_S, Visit
from firmware_sim.benchmark.onset import Onset
from firmware_sim.benchmark.scene import DAY_S, DAYS, JUDGED_DAYS, LEARNING_DAYS, PERIOD_S, Floats, Scene
from firmware_sim.benchmark.shapes import add_bump, add_pulse, follow
from firmware_sim.benchmark.weather import outdoor
from firmware_sim.hazards import straight


def boiler_tests(scene: Scene) -> list[Visit]:
    """The caretaker runs the boiler at full load, each week on the same day; once in the judged days."""
    judged = LEARNING_DAYS + int(scene.number("test/day", 0.0, JUDGED_DAYS))
    hours = scene.number("test/hour", 8.0, 16.0) + 0.5 * scene.daily_normal("test/hour")
    minutes, share = scene.daily("test/min", 15.0, 40.0), scene.daily("test/share", 0.5, 1.0)
    days = [day for day in range(DAYS) if (day - judged) % 7 == 0]
    return [
        Visit(
            day * DAY_S + hours[day] * HOUR_S,
            day * DAY_S + hours[day] * HOUR_S + 60.0 * minutes[day],
            share[day],
        )
        for day in days
    ]


def boiler(scene: Scene, onset: Onset) -> dict[str, Floats]:
    """The room's warmth and carbon monoxide, water leaving and coming back."""
    cold = np.clip((18.0 - outdoor(scene)) / 24.0, 0.1, 1.0)
    night = np.where((scene.hour < 5.5) | (scene.hour > 22.5), 0.75, 1.0)
    demand = follow(cold * night, 1800.0)
    cycle = scene.number("burner/s", 700.0, 1500.0) / (0.7 + 0.5 * demand)
    phase = (np.cumsum(PERIOD_S / cycle) + scene.number("burner/phase", 0.0, 1.0)) % 1.0
    duty = 0.25 + 0.6 * demand
    burns = (phase < duty).astype(np.float64)
    water = scene.number("curve", 42.0, 52.0) + 18.0 * demand + 7.0 * (follow(burns, 240.0) - duty)
    room = (
        scene.number("boiler room", 19.0, 25.0) + 0.08 * (outdoor(scene) - 5.0) + 1.2 * follow(burns, 900.0)
    )
    starts = np.zeros(len(burns))
    starts[1:] = np.clip(burns[1:] - burns[:-1], 0.0, None)
    fumes = (
        scene.number("starts", 1.0, 5.0)
        * np.exp(0.4 * scene.wander("starts", 1800.0))
        * follow(starts, 150.0)
        * 5.0
    )
    test = {name: np.zeros(len(burns)) for name in ("water", "room", "co")}
    for visit in boiler_tests(scene):
        add_bump(test["water"], visit.from_s, visit.to_s, 26.0 * visit.share, 420.0, 1500.0)
        add_bump(test["room"], visit.from_s, visit.to_s, 7.0 * visit.share, 900.0, 2400.0)
        add_bump(
            test["co"], visit.from_s, visit.to_s, scene.at("test/co", visit.from_s, 5.0, 28.0), 300.0, 900.0
        )
    water = np.minimum(water + test["water"], 93.0)
    escaped = np.zeros(len(burns))
    if onset.is_("carbon_monoxide"):
        lasts, filling = onset.to_s - onset.from_s, onset.size("filling", 0.3, 1.6) * HOUR_S
        grown = onset.strength(lambda u: 1.0 - np.exp(-u * lasts / filling))
        escaped = onset.size("co", 50.0, 450.0) * grown * (0.45 + 0.55 * follow(burns, 600.0))
        room = room + onset.size("spilled", 0.5, 4.0) * grown
    back = follow(water, 180.0) - scene.number("spread", 7.0, 12.0) - 5.0 * demand
    return {
        "boiler_room_temperature": room + 0.2 * scene.wander("boiler room", 2400.0) + test["room"],
        "boiler_room_co": 0.8 + 0.2 * scene.wander("boiler/co", 3600.0) + fumes + test["co"] + escaped,
        "boiler_flow": water + 0.3 * scene.wander("boiler", 300.0),
        "boiler_return": back,
    }


def cold_room(scene: Scene, onset: Onset) -> dict[str, Floats]:
    """Air, goods, the compressor's power."""
    base = scene.number("cold/base", -22.5, -19.0)
    open_hours = ((scene.hour > 7.0) & (scene.hour < 20.5)).astype(np.float64)
    bumps, warmed = np.zeros(len(scene.at_s)), np.zeros(len(scene.at_s))
    _deliver(scene, bumps, warmed)
    customers = (scene.uniforms("cold/door") < 0.012 * open_hours) * (
        0.4 + 1.6 * scene.uniforms("cold/door/long")
    )
    bumps += follow(customers, 300.0) * (300.0 / PERIOD_S) * 0.7
    every_s, defrosting = scene.number("defrost", 5.5, 10.0) * HOUR_S, np.zeros(len(bumps))
    for begin in np.arange(scene.number("defrost/first", 0.0, 1.0) * every_s, DAYS * DAY_S, every_s):
        long_s = scene.at("defrost/long", begin, 900.0, 1500.0)
        add_pulse(defrosting, begin, begin + long_s, 1.0)
        add_bump(bumps, begin, begin + long_s, scene.at("defrost/warm", begin, 4.0, 8.0), 900.0, 900.0)
    load = 1.0 + 0.15 * open_hours + 0.02 * (outdoor(scene) - 5.0) + 0.05 * bumps
    every = scene.number("compressor/s", 900.0, 1700.0)
    phase = (np.cumsum(PERIOD_S * np.sqrt(load) / every) + scene.number("compressor/phase", 0.0, 1.0)) % 1.0
    duty = np.clip(scene.number("duty", 0.4, 0.6) * load, 0.2, 0.95)
    runs = np.where(defrosting > 0.5, 0.0, np.where(phase < duty, 1.0, 0.0))
    saw = scene.number("saw", 0.8, 1.8) * (0.5 - follow(runs, 420.0)) * 2.0
    watts = scene.number("watts", 380.0, 1100.0)
    return _failing(scene, onset, base, bumps, warmed, saw, runs, watts)


def _deliver(scene: Scene, air: Floats, goods: Floats) -> None:
    """Two to five mornings a week the door stands open while goods come in."""
    hours = scene.daily("delivery/hour", 6.5, 10.5)
    for day in np.flatnonzero(scene.daily("delivery") < scene.number("deliveries", 0.3, 0.7)):
        from_s = day * DAY_S + float(hours[day]) * HOUR_S
        to_s = from_s + scene.at("delivery/long", from_s, 480.0, 1500.0)
        add_bump(air, from_s, to_s, scene.at("delivery/warm", from_s, 5.0, 11.0), 600.0, 1200.0)
        add_bump(goods, from_s, to_s, scene.at("delivery/goods", from_s, 0.3, 1.0), 900.0, 6.0 * HOUR_S)


def _failing(
    scene: Scene,
    onset: Onset,
    base: float,
    bumps: Floats,
    warmed: Floats,
    saw: Floats,
    runs: Floats,
    watts: float,
) -> dict[str, Floats]:
    """Tripped: no power, no saw. Leaking: runs on and on with less and less power, cools less and less."""
    rise = np.zeros(len(bumps))
    power = np.where(
        runs > 0.5, watts * (1.0 + 0.03 * scene.wander("watts", 600.0)), scene.number("rest", 3.0, 12.0)
    )
    if onset.is_("freezer_failing"):
        lasts_h = (onset.to_s - onset.from_s) / HOUR_S
        quick, slow = onset.size("quick", 3.5, 8.0), onset.size("slow", 0.5, 1.5)
        tau_h = onset.size("tau", 0.5, 1.5)
        rise = onset.strength(lambda u: quick * (1.0 - np.exp(-u * lasts_h / tau_h)) + slow * u * lasts_h)
        during = onset.lasts() > 0
        calm = 1.0 - onset.strength(lambda u: np.minimum(u * lasts_h, 1.0), 600.0)
        if onset.variant == "tripped":
            saw, bumps, power = (
                saw * calm,
                bumps * (0.5 + 0.5 * calm),
                np.where(during, scene.number("rest", 3.0, 12.0), power),
            )
        else:
            weaker = 1.0 - 0.35 * onset.strength(np.sqrt)
            rise, saw = rise * onset.strength(np.sqrt, 1e9), saw * calm
            power = np.where(during, watts * weaker * (1.0 + 0.03 * scene.wander("watts", 600.0)), power)
    air = base + bumps + saw + 0.15 * scene.wander("cold/air", 900.0) + rise
    follows_s = scene.number("goods/s", 4.0, 9.0) * HOUR_S
    goods = base + 0.8 + warmed + 0.1 * scene.wander("cold/goods", 7200.0)
    return {
        "freezer_air": air,
        "freezer_product": goods + follow(bumps, follows_s) + follow(rise, follows_s),
        "compressor_power": power,
    }


def lift(scene: Scene, onset: Onset) -> dict[str, Floats]:
    """Vibration mm/s, current A, the motor's warmth; a worn guide shoe shakes more each hour."""
    hour = scene.hour - scene.weekend
    busy = 0.55 * np.exp(-0.5 * ((hour - 8.0) / 1.0) ** 2) + 0.5 * np.exp(-0.5 * ((hour - 18.3) / 1.6) ** 2)
    likely = scene.number("lift/used", 0.4, 1.0) * (
        busy + np.where((hour > 6.5) & (hour < 22.5), 0.15, 0.008)
    )
    rides = scene.uniforms("ride") < likely
    load = scene.uniforms("load")
    worn = np.zeros(len(load))
    if onset.is_("lift_shaking"):
        worn = onset.strength(lambda u: u**1.3, 60.0)
    shakes = 1.0 + onset.size("shakes", 1.6, 4.5) * worn if worn.any() else np.ones(len(load))
    knocks = scene.uniforms("knock") < 0.004 + 0.08 * worn  # trolleys and sills; a worn shoe more often
    ride = (
        scene.number("lift/mm_s", 0.7, 1.4) * np.exp(0.14 * scene.normals("ride/rough")) * (0.9 + 0.2 * load)
    )
    ride = ride * shakes * np.where(knocks, 1.5 + 1.2 * scene.uniforms("knock/hard"), 1.0)
    still = scene.number("lift/still", 0.12, 0.3) * (1.0 + 0.1 * scene.wander("lift/still", 600.0))
    drags = 1.0 + onset.size("drags", 0.08, 0.35) * worn if worn.any() else np.ones(len(load))
    pull = scene.number("lift/pull", 4.0, 7.0) + 7.0 * np.abs(load - 0.45)
    current = scene.number("lift/idle", 0.4, 1.2) + np.where(rides, pull * drags, 0.0)
    warm = follow((current / 10.0) ** 2, 2400.0)
    return {
        "lift_vibration": np.where(rides, ride, still),
        "lift_current": current,
        "lift_motor_temperature": scene.number("shaft", 18.0, 26.0)
        + scene.number("lift/warms", 20.0, 45.0) * warm
        + 0.05 * (outdoor(scene) - 5.0)
        + 0.2 * scene.wander("lift", 1800.0),
    }


def switch_room(scene: Scene, onset: Onset) -> dict[str, Floats]:
    """Current A of the feeder, Cel at its joint: warmed by the square of the current, slowly."""
    hour = scene.hour - 0.8 * scene.weekend
    day = 0.55 * np.exp(-0.5 * ((hour - 8.0) / 1.5) ** 2) + np.exp(-0.5 * ((hour - 19.3) / 2.2) ** 2)
    day = day + 0.45 * ((hour > 7.0) & (hour < 22.5)) + 0.2 * scene.weekend * (np.abs(hour - 12.5) < 3.0)
    electric_heat = 0.012 * np.clip(10.0 - outdoor(scene), 0.0, 15.0)
    steady = 0.25 + follow(day, 900.0) + electric_heat + 0.1 * scene.wander("board", 1200.0)
    kettles = follow((scene.uniforms("kettle") < 0.03) * scene.uniforms("kettle/kw"), 150.0) * 5.0
    current = scene.number("board/a", 22.0, 42.0) * np.maximum(steady + 0.12 * kettles, 0.1)
    warms = scene.number("joint", 10.0, 18.0) / scene.number("board/a", 22.0, 42.0) ** 2 / 2.0
    looser = np.zeros(len(current))
    if onset.is_("hot_joint"):
        looser = onset.size("looser", 2.0, 5.0) * onset.strength(straight)
    heat = follow(warms * (1.0 + looser) * current**2, scene.number("joint/s", 1200.0, 2400.0))
    ambient = (
        scene.number("switch room", 17.0, 24.0)
        + 0.1 * (outdoor(scene) - 5.0)
        + 0.2 * scene.wander("switch", 3600.0)
    )
    return {"cable_temperature": ambient + heat, "board_current": current}
