"""For every rule of every class of assets: what is ordinary there, and what must be told.

A course is a list of (value, minutes); a pair gives a ramp: ((from, to), minutes).
"""

from __future__ import annotations

from typing import Any, NamedTuple

Course = list[tuple[Any, float]]


class Case(NamedTuple):
    """`every_s`: how often the channel of `role` is read."""

    role: str
    every_s: float
    calm: Course
    told: Course


H = 60.0
CASES: dict[tuple[str, str], Case] = {
    ("elderly_flat", "water-unused"): Case(
        "water", 900, [((0, 12), 10 * H), ((12, 12), 8 * H), ((12, 40), 4 * H), ((40, 41), 9 * H)],
        [((0, 60), 12 * H), ((60, 64), 25 * H)],
    ),
    ("elderly_flat", "water-running"): Case(
        "water", 60, [((0, 200), 20), ((200, 200), 40), ((200, 500), 45)], [((0, 0), 60), ((0, 800), 80)]
    ),
    ("elderly_flat", "still"): Case(
        "motion", 60, [(0, 12 * H), (1, 5), (0, 20 * H)], [(1, 5), (0, 24.5 * H)]
    ),
    ("elderly_flat", "cold"): Case("temperature", 60, [(15, 90), (19, 60), (15, 90)], [(19, 60), (15, 125)]),
    ("lift", "trapped"): Case("trapped", 5, [(0, 10), (1, 0.5), (0, 10)], [(0, 10), (1, 2)]),
    ("lift", "door-open"): Case("door", 1, [(1, 2), (0, 5), (1, 4), (0, 1)], [(0, 5), (1, 6)]),
    ("lift", "shaking"): Case("vibration", 1, [(2, 10), (6, 0.1), (2, 10)], [(2, 10), (6, 1)]),
    ("lift", "machine-room"): Case("machine_room", 30, [(38, 60), (42, 8), (30, 60)], [(30, 10), (2, 12)]),
    ("fire_lane", "occupied"): Case("occupied", 5, [(1, 4), (0, 1), (1, 4)], [(0, 5), (1, 6)]),
    ("fire_lane", "locked"): Case("gate", 5, [(1, 9), (0, 1)], [(0, 5), (1, 11)]),
    ("freezer", "warm"): Case(
        "temperature", 60, [(-20, 60), ((-20, -11), 20), ((-11, -20), 30), (-20, 60)], [(-20, 60), (-12, 50)]
    ),
    ("freezer", "thawing"): Case("temperature", 60, [(-20, 60), (-2, 20), (-20, 30)], [(-20, 60), (-2, 35)]),
    ("freezer", "door-open"): Case("door", 5, [(1, 9), (0, 30), (1, 9)], [(0, 5), (1, 11)]),
    ("medicine_fridge", "warm"): Case("temperature", 60, [(5, 60), (9, 50), (5, 60)], [(5, 60), (9, 65)]),
    ("medicine_fridge", "frost"): Case("temperature", 60, [(3, 60), (-1, 15), (3, 60)], [(3, 60), (-1, 25)]),
    ("basement", "water"): Case("water_level", 10, [(0, 30), (0.06, 0.5), (0.02, 30)], [(0, 30), (0.08, 5)]),
    ("basement", "deep-water"): Case("water_level", 10, [(0, 30), (0.2, 60)], [(0, 30), ((0, 0.6), 30)]),
    ("basement", "leak"): Case("leak", 5, [(0, 30), (1, 0.3), (0, 30)], [(0, 30), (1, 2)]),
    ("basement", "fumes"): Case("co", 10, [(5, 30), (60, 10), (5, 30)], [(5, 30), (45, 20)]),
    ("basement", "damp"): Case("humidity", 600, [(85, 20 * H), (70, 4 * H), (85, 20 * H)], [(85, 25 * H)]),
    ("charging_pile", "heat"): Case(
        "temperature", 5, [(45, 60), (48, 30)], [(30, 60), ((30, 80), 60), (80, 5)]
    ),
    ("charging_pile", "rise"): Case("temperature", 5, [((20, 44), 30), (44, 60)], [(25, 30), ((25, 55), 4)]),
    ("charging_pile", "smoke"): Case("smoke", 5, [(1, 30), (12, 0.4), (1, 30)], [(1, 30), (12, 2)]),
    ("charging_pile", "overcurrent"): Case("current", 5, [(3, 60), (12, 0.1), (3, 30)], [(3, 30), (12, 2)]),
    ("charging_pile", "too-long"): Case("current", 60, [(3, 8 * H), (0.1, 10), (3, 8 * H)], [(3, 10.5 * H)]),
    ("boiler_room", "co"): Case("co", 10, [(5, 30), (50, 10), (5, 30)], [(5, 30), (45, 20)]),
    ("boiler_room", "co-high"): Case("co", 10, [(5, 30), (80, 10)], [(5, 30), (150, 5)]),
    ("boiler_room", "gas"): Case("gas", 5, [(0, 30), (12, 0.5), (0, 30)], [(0, 30), (15, 3)]),
    ("boiler_room", "heat"): Case("temperature", 30, [(40, 60), (50, 4), (40, 30)], [(40, 30), (50, 7)]),
    ("boiler_room", "pressure"): Case(
        "pressure", 30, [(1.5, 60), (0.5, 8), (2.5, 60)], [(1.5, 30), (0.5, 12)]
    ),
    ("gas_meter", "flowing"): Case(
        "flow", 60, [(0.3, 3 * H), (0, 5), (0.3, 3 * H)], [(0, 30), (0.05, 4.5 * H)]
    ),
    ("gas_meter", "leak"): Case("gas", 5, [(0, 30), (12, 0.5), (0, 30)], [(0, 30), (15, 3)]),
    ("gas_meter", "pressure"): Case("pressure", 10, [(2, 60), (1, 1), (2.6, 60)], [(2, 30), (1, 5)]),
    ("pump", "restless"): Case("running", 10, [(1, 100), (0, 5), (1, 100)], [(0, 5), (1, 125)]),
    ("pump", "shaking"): Case("vibration", 5, [(2, 60), (6, 0.5), (2, 60)], [(2, 30), (6, 3)]),
    ("pump", "overload"): Case("current", 5, [(8, 60), (40, 0.5), (8, 60)], [(8, 30), (20, 3)]),
    ("pump", "no-pressure"): Case("pressure", 10, [(3, 60), (1, 4), (3, 60)], [(3, 30), (1, 7)]),
    ("manhole", "cover-off"): Case("cover", 5, [(0, 60), (1, 0.3), (0, 60)], [(0, 30), (1, 2)]),
    ("manhole", "water"): Case("water_level", 10, [(-2, 60), (-0.5, 60)], [(-2, 30), ((-2, 0), 30), (0, 5)]),
    ("manhole", "gas"): Case("gas", 10, [(0, 30), (15, 1), (0, 30)], [(0, 30), (15, 5)]),
    ("power_cabinet", "hot"): Case("temperature", 10, [(60, 60), (95, 0.5), (70, 60)], [(60, 30), (100, 3)]),
    ("power_cabinet", "residual"): Case(
        "residual", 5, [(30, 60), (400, 0.3), (30, 60)], [(30, 30), (400, 2)]
    ),
    ("power_cabinet", "voltage"): Case("voltage", 5, [(230, 60), (180, 1), (225, 60)], [(230, 30), (250, 4)]),
    ("power_cabinet", "door-open"): Case("door", 10, [(1, 25), (0, 5), (1, 25)], [(0, 5), (1, 32)]),
    ("water_tank", "level"): Case("level", 10, [(1.5, 60), (0.3, 1), (2.2, 60)], [(1.5, 30), ((1.5, 3), 30)]),
    ("water_tank", "hatch-open"): Case("hatch", 5, [(0, 60), (1, 0.7), (0, 60)], [(0, 30), (1, 2)]),
    ("water_tank", "cloudy"): Case("turbidity", 30, [(0.4, 60), (3, 10), (0.4, 60)], [(0.4, 30), (3, 20)]),
    ("water_tank", "no-chlorine"): Case(
        "chlorine", 60, [(0.3, 60), (0.02, 20), (0.2, 60)], [(0.3, 60), (0.02, 35)]
    ),
}  # fmt: skip
