"""The hazard of a run: which variant, where, when, how long; drawn by (hazard, seed)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from firmware_sim.benchmark.elder import Elder
from firmware_sim.benchmark.household import Household
from firmware_sim.benchmark.scene import END_S, JUDGED_S, Floats, Scene
from firmware_sim.benchmark.shapes import strength
from firmware_sim.benchmark.truth import (
    BATHROOM,
    BOILER_ROOM,
    COLD_ROOM,
    ELDER,
    KITCHEN,
    LIFT,
    LIVING_ROOM,
    METER,
    SUMP,
    SWITCH_ROOM,
    WATER_ROOM,
    TrueEvent,
)

MINUTE_S, HOUR_S = 60.0, 3600.0
_MARGIN_S = 3600.0


@dataclass(frozen=True)
class HazardKind:
    """How long an event of this kind lasts until it is found or ended, and how long it takes to fade.

    `variants`: name, likelihood, places it touches.
    """

    lasts_s: tuple[float, float]
    fade_s: float
    variants: tuple[tuple[str, float, tuple[str, ...]], ...]


# Durations: NIST TN 1455 (2004) has flaming chairs alarm within 1-4 min and smouldering ones after 0.5-2 h; a
# burst hose or a gas smell is found within the hour or two; a cold room or a hot joint by the next round; a
# worn guide shoe by the next service; of those who fall and cannot get up half lie for hours (Fleming and
# Brayne, BMJ 2008).
KINDS: dict[str, HazardKind] = {
    "smouldering_fire": HazardKind(
        (50 * MINUTE_S, 160 * MINUTE_S),
        6 * MINUTE_S,
        (("kitchen", 0.5, (KITCHEN, LIVING_ROOM)), ("living_room", 0.5, (LIVING_ROOM, KITCHEN))),
    ),
    "flaming_fire": HazardKind(
        (6 * MINUTE_S, 16 * MINUTE_S),
        6 * MINUTE_S,
        (("kitchen", 0.6, (KITCHEN, LIVING_ROOM)), ("living_room", 0.4, (LIVING_ROOM, KITCHEN))),
    ),
    "gas_leak": HazardKind((60 * MINUTE_S, 240 * MINUTE_S), 12 * MINUTE_S, (("hose", 1.0, (KITCHEN,)),)),
    "carbon_monoxide": HazardKind(
        (60 * MINUTE_S, 300 * MINUTE_S), 20 * MINUTE_S, (("blocked_flue", 1.0, (BOILER_ROOM,)),)
    ),
    "burst_pipe": HazardKind(
        (20 * MINUTE_S, 150 * MINUTE_S),
        45 * MINUTE_S,  # damp walls; the water itself stops at once
        (("flat", 0.6, (METER, WATER_ROOM, BATHROOM)), ("riser", 0.4, (WATER_ROOM, SUMP))),
    ),
    "tap_left_open": HazardKind(
        (90 * MINUTE_S, 600 * MINUTE_S),
        1 * MINUTE_S,
        (("flat", 0.6, (METER, WATER_ROOM)), ("elder", 0.4, (ELDER, WATER_ROOM))),
    ),
    "freezer_failing": HazardKind(
        (5 * HOUR_S, 14 * HOUR_S),
        90 * MINUTE_S,
        (("tripped", 0.5, (COLD_ROOM,)), ("leaking", 0.5, (COLD_ROOM,))),
    ),
    "basement_flooding": HazardKind(
        (1.5 * HOUR_S, 8 * HOUR_S), 60 * MINUTE_S, (("backflow", 0.5, (SUMP,)), ("pump_failed", 0.5, (SUMP,)))
    ),
    "lift_shaking": HazardKind((18 * HOUR_S, 60 * HOUR_S), 30 * MINUTE_S, (("guide_shoe", 1.0, (LIFT,)),)),
    "hot_joint": HazardKind((16 * HOUR_S, 48 * HOUR_S), 30 * MINUTE_S, (("loose", 1.0, (SWITCH_ROOM,)),)),
    "lying_helpless": HazardKind((14 * HOUR_S, 40 * HOUR_S), 60.0, (("fall", 1.0, (ELDER,)),)),
}


@dataclass(frozen=True)
class Onset:
    """The one hazard of a run; others ask `strength` whether and how far it acts on them."""

    scene: Scene
    what: str
    variant: str
    places: tuple[str, ...]
    from_s: float
    to_s: float
    fade_s: float

    def is_(self, what: str, variant: str = "") -> bool:
        """Whether it is this hazard, and this variant when one is named."""
        return self.what == what and variant in ("", self.variant)

    def size(self, name: str, low: float, high: float) -> float:
        """One of its magnitudes, in [low, high); likelier small than large by the ratio of the two."""
        return low * (high / low) ** self.scene.choice(f"size/{name}", 0.0, 1.0)

    def strength(self, shape: Callable[[Floats], Floats], fade_s: float | None = None) -> Floats:
        """0 before, `shape` of its progress while it lasts, fading after; for each step."""
        fade = self.fade_s if fade_s is None else fade_s
        return strength(self.scene.at_s, self.from_s, self.to_s, shape, fade)

    def lasts(self) -> Floats:
        """1 while it lasts, else 0, for each step."""
        at = self.scene.at_s
        return ((at >= self.from_s) & (at < self.to_s)).astype(np.float64)

    def truth(self) -> TrueEvent:
        calm_s = self.to_s + 4.0 * self.fade_s
        return TrueEvent(self.what, self.places, self.from_s, self.to_s, calm_s, True, self.variant)


def draw_onset(scene: Scene, house: Household, elder: Elder) -> Onset:
    """The hazard in the judged days; KeyError when there is no such hazard."""
    kind = KINDS[scene.hazard]
    lasts_s = float(
        np.exp(np.log(kind.lasts_s[0]) + scene.choice("lasts", 0, 1) * np.diff(np.log(kind.lasts_s))[0])
    )
    variant, places = _variant(kind, scene.choice("variant", 0.0, 1.0))
    last_s = END_S - _MARGIN_S - lasts_s - 4.0 * kind.fade_s
    from_s = scene.choice("from", JUDGED_S + _MARGIN_S, last_s)
    if variant == "kitchen" and scene.choice("at the stove", 0.0, 1.0) < 0.5:
        from_s = _at_the_stove(scene, house, last_s)
    if kind is KINDS["lying_helpless"]:
        from_s = elder.at_home_from(from_s)
    return Onset(scene, scene.hazard, variant, places, from_s, from_s + lasts_s, kind.fade_s)


def _variant(kind: HazardKind, drawn: float) -> tuple[str, tuple[str, ...]]:
    for name, likelihood, places in kind.variants:
        drawn -= likelihood
        if drawn < 0:
            return name, places
    return kind.variants[-1][0], kind.variants[-1][2]


def _at_the_stove(scene: Scene, house: Household, last_s: float) -> float:
    """Half of kitchen fires begin while somebody cooks or soon after (NFPA, home cooking fires)."""
    meals = [meal for meal in house.cookings() if JUDGED_S + _MARGIN_S < meal.from_s < last_s - 3600.0]
    meal = meals[int(scene.choice("which meal", 0.0, len(meals)))]
    return scene.choice("while cooking", meal.from_s + 300.0, meal.to_s + 900.0)
