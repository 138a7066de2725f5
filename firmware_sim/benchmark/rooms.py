"""Flat 101: what air, warmth, damp and smoke do under people, weather and hazards.

Magnitudes. Smoke in %/m: EN 54-7 and EN 14604 heads answer between 0.05 and 0.2 dB/m, that is 1.1 to 4.5 %/m;
frying puts 1-8 %/m near such a head for minutes (NIST nuisance tests), a smouldering chair 10-35 %/m within
one or two hours, a flaming one tens within minutes (NIST TN 1455). A gas burner makes a few ppm of carbon
monoxide, smouldering 40-160. A hose leaking 0.1-0.8 m3/h into 28 m3 with 0.7 air changes an hour settles at
15-80 % of methane's lower explosive limit (4.4 %) with a time constant of one or two hours. Alarms: EN 50194
gas at 3-20 % LEL.
"""

from __future__ import annotations

import numpy as np

from firmware_sim.benchmark.household import Cooking, Household
from firmware_sim.benchmark.onset import Onset
from firmware_sim.benchmark.scene import Floats, Scene
from firmware_sim.benchmark.shapes import add_bump, follow
from firmware_sim.benchmark.weather import outdoor, sun
from firmware_sim.hazards import early, smoulder

_WARMER_IS_DRIER = -0.055  # relative humidity of the same air, a K


def rooms(scene: Scene, house: Household, onset: Onset) -> dict[str, Floats]:
    """All quantities of the flat's rooms by name."""
    fire = _fire(onset)
    in_kitchen = onset.variant == "kitchen"
    here, there = fire, {name: share * follow(fire[name], 240.0) for name, share in _THROUGH_THE_DOOR.items()}
    stove = _stove(scene, house)
    warmth = _warmth(scene, house)
    return (
        _kitchen(scene, stove, warmth, onset, here if in_kitchen else there)
        | _living_room(scene, house, stove, warmth, there if in_kitchen else here)
        | _bathroom(scene, house, warmth, onset)
    )


# Share of what burns in one room that comes into the other through an open door.
_THROUGH_THE_DOOR = {"smoke": 0.3, "co": 0.4, "heat": 0.08}
# How much of the smoke's unrest each shows.
_CURLS = {"smoke": 1.0, "co": 0.4, "heat": 0.15}


def _fire(onset: Onset) -> dict[str, Floats]:
    """What burns adds to its room: smoke %/m, carbon monoxide ppm, heat K at the ceiling."""
    if onset.is_("smouldering_fire"):
        sizes, shape = {"smoke": (10.0, 35.0), "co": (40.0, 160.0), "heat": (1.0, 6.0)}, smoulder
    elif onset.is_("flaming_fire"):
        sizes, shape = {"smoke": (25.0, 90.0), "co": (50.0, 400.0), "heat": (50.0, 220.0)}, np.square
    else:
        return dict.fromkeys(_THROUGH_THE_DOOR, np.zeros(len(onset.scene.at_s)))
    curling = np.exp(0.2 * onset.scene.wander("curling", 90.0))
    grown = {name: onset.size(name, *size) * onset.strength(shape) for name, size in sizes.items()}
    return {name: what * curling ** _CURLS[name] for name, what in grown.items()}


def _stove(scene: Scene, house: Household) -> dict[str, Floats]:
    """What cooking adds to the kitchen: heat K, damp %RH, smoke %/m, co ppm, gas %LEL."""
    added = {name: np.zeros(len(scene.at_s)) for name in ("heat", "damp", "smoke", "co", "gas")}
    for meal in house.cookings():
        _cook(scene, meal, added)
    puffing = np.exp(0.25 * scene.wander("puffing", 60.0))
    return added | {"smoke": added["smoke"] * puffing}


def _cook(scene: Scene, meal: Cooking, added: dict[str, Floats]) -> None:
    begin, end = meal.from_s, meal.to_s
    add_bump(added["heat"], begin, end, meal.vigour * scene.number("stove/heat", 1.5, 5.0), 700.0, 1800.0)
    add_bump(added["damp"], begin, end, meal.vigour * scene.number("stove/damp", 6.0, 20.0), 500.0, 1100.0)
    add_bump(added["co"], begin, end, meal.vigour * scene.number("stove/co", 1.0, 6.0), 500.0, 900.0)
    add_bump(added["smoke"], begin, end, meal.vigour * scene.number("stove/haze", 0.05, 0.3), 200.0, 500.0)
    add_bump(added["gas"], begin, begin + 25.0, scene.at("ignition", begin, 0.3, 4.0), 15.0, 180.0)
    if scene.at("wine", begin, 0.0, 1.0) < 0.3:  # alcohol deceives semiconductor gas heads
        wine = scene.at("wine/when", begin, begin, end)
        add_bump(added["gas"], wine, wine + 60.0, scene.at("wine/much", begin, 0.5, 4.0), 30.0, 200.0)
    if not meal.smoke:
        return
    for puff in range(1 + int(scene.at("puffs", begin, 0.0, 4.0))):
        at_s = scene.at(f"puff/{puff}", begin, begin + 0.15 * (end - begin), end)
        height = meal.smoke * scene.at(f"height/{puff}", begin, 0.5, 1.3)
        lasts_s = scene.at(f"lasts/{puff}", begin, 60.0, 240.0)
        add_bump(
            added["smoke"], at_s, at_s + lasts_s, height, 60.0, scene.at("extractor", begin, 120.0, 420.0)
        )
        add_bump(
            added["damp"], at_s, at_s + lasts_s, scene.at(f"steam/{puff}", begin, 4.0, 18.0), 60.0, 400.0
        )
        add_bump(added["heat"], at_s, at_s + lasts_s, scene.at(f"hot/{puff}", begin, 0.5, 3.0), 120.0, 600.0)


def _warmth(scene: Scene, house: Household) -> Floats:
    """Cel of a heated room: programme with a lowered night, the weather through the walls, people."""
    base, lowered = scene.number("setpoint", 18.5, 22.5), scene.number("lowered", 0.5, 2.5)
    programme = follow(base - lowered * (1.0 - house.awake()), 2.0 * 3600.0)
    weather = 0.05 * (follow(outdoor(scene), 4.0 * 3600.0) - 5.0)
    return programme + weather + 0.4 * house.home() + 0.15 * scene.wander("thermostat", 2400.0)


def _dried(humidity: Floats, warmer_k: Floats) -> Floats:
    return np.asarray(np.clip(humidity * np.exp(_WARMER_IS_DRIER * warmer_k), 3.0, 99.5))


def _kitchen(
    scene: Scene, stove: dict[str, Floats], warmth: Floats, onset: Onset, fire: dict[str, Floats]
) -> dict[str, Floats]:
    damp = (
        scene.number("kitchen/rh", 35.0, 55.0)
        + 2.5 * scene.wander("kitchen/rh", 5.0 * 3600.0)
        + stove["damp"]
    )
    haze = scene.number("dust", 0.04, 0.14) * (1.0 + 0.15 * scene.wander("dust", 1800.0))
    leak = np.zeros(len(scene.at_s))
    if onset.is_("gas_leak"):
        filling = onset.size("filling", 0.45, 1.6) * 3600.0
        lasts = onset.to_s - onset.from_s
        leak = onset.size("gas", 15.0, 80.0) * onset.strength(lambda u: 1.0 - np.exp(-u * lasts / filling))
        leak = leak * np.exp(0.08 * scene.wander("draught", 120.0))
    return {
        "kitchen_smoke": haze + stove["smoke"] + fire["smoke"],
        "kitchen_co": 0.6 + 0.15 * scene.wander("kitchen/co", 3600.0) + stove["co"] + fire["co"],
        "kitchen_gas": 0.5 + 0.12 * scene.wander("kitchen/gas", 2400.0) + stove["gas"] + leak,
        "kitchen_temperature": warmth + 0.8 * follow(stove["heat"], 60.0) + fire["heat"],
        "kitchen_humidity": _dried(damp, fire["heat"]),
    }


def _living_room(
    scene: Scene, house: Household, stove: dict[str, Floats], warmth: Floats, fire: dict[str, Floats]
) -> dict[str, Floats]:
    steps = len(scene.at_s)
    opened, colder, airy, drier = (np.zeros(steps) for _ in range(4))
    outside = outdoor(scene)
    for airing in house.airings():
        first, last = (int(np.ceil(at / 30.0)) for at in (airing.from_s, airing.to_s))
        opened[first:last] = 1.0
        cold = max(float(warmth[first] - outside[first]), 2.0) * (0.15 + 0.3 * airing.share)
        add_bump(colder, airing.from_s, airing.to_s, cold, 420.0 / airing.share, 1500.0)
        add_bump(airy, airing.from_s, airing.to_s, 0.5 + 0.4 * airing.share, 300.0 / airing.share, 3600.0)
        add_bump(drier, airing.from_s, airing.to_s, 3.0 + 11.0 * airing.share, 300.0 / airing.share, 2400.0)
    breath = (
        scene.number("breath", 120.0, 260.0) * house.people * (0.35 + 0.65 * house.awake()) * house.home()
    )
    stale = follow(breath, 1.4 * 3600.0) * (1.0 - np.clip(airy, 0.0, 0.95))
    tobacco = _tobacco(scene, house)
    warm = warmth + scene.number("south", 0.2, 2.0) * sun(scene) + 0.1 * stove["heat"] - colder
    damp = scene.number("living/rh", 32.0, 52.0) + 2.5 * scene.wander("living/rh", 6.0 * 3600.0)
    damp = damp + 0.002 * stale + 0.12 * follow(stove["damp"], 600.0) - drier
    return {
        "living_temperature": warm + fire["heat"],
        "living_humidity": _dried(damp, fire["heat"]),
        "living_co2": 430.0 + stale + 12.0 * scene.wander("co2", 900.0) + 6.0 * fire["co"],
        "living_smoke": scene.number("living/dust", 0.03, 0.1)
        + 0.01 * scene.wander("living/dust", 1800.0)
        + 0.12 * follow(stove["smoke"], 300.0)
        + tobacco
        + fire["smoke"],
        "living_window": opened,
    }


def _tobacco(scene: Scene, house: Household) -> Floats:
    """%/m of a smoker's evening, in three households of ten."""
    added = np.zeros(len(scene.at_s))
    if scene.number("smoker", 0.0, 1.0) > 0.3:
        return added
    for number in range(4):
        hours = scene.daily(f"cigarette/{number}", 18.5, 22.0)
        much = scene.daily(f"cigarette/{number}/much", 0.15, 0.8)
        for day in np.flatnonzero(scene.daily(f"cigarette/{number}/lit") < 0.7):
            from_s = house.at(int(day), hours[day])
            add_bump(added, from_s, from_s + 360.0, float(much[day]), 180.0, 900.0)
    return added


def _bathroom(scene: Scene, house: Household, warmth: Floats, onset: Onset) -> dict[str, Floats]:
    heat, steam = np.zeros(len(scene.at_s)), np.zeros(len(scene.at_s))
    fall = scene.number("bathroom/dries", 15.0, 50.0) * 60.0
    for shower in house.showers():
        add_bump(heat, *(shower.from_s, shower.to_s), 4.5 * shower.share, 400.0, 1500.0)
        add_bump(steam, *(shower.from_s, shower.to_s), 48.0 * shower.share, 180.0, fall)
    if onset.is_("burst_pipe", "flat"):
        steam = steam + onset.size("wet", 5.0, 20.0) * onset.strength(early, 3600.0)
    base = scene.number("bathroom/rh", 42.0, 60.0) + 2.0 * scene.wander("bathroom/rh", 4.0 * 3600.0)
    full = 99.0 - (99.0 - base) * np.exp(-steam / (99.0 - base))  # air that is nearly full takes little more
    return {
        "bathroom_temperature": warmth + 0.5 + heat + 0.1 * scene.wander("bathroom", 1800.0),
        "bathroom_humidity": full,
    }
