"""Hazards: what nature does to several quantities at once, as a course in time.

A hazard lasts `duration_s`; its progress is the share of that which has passed. When it is over (somebody
put it out, closed the valve), what it did fades with `fade_s`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Shape = Callable[[Floats], Floats]


def at_once(u: Floats) -> Floats:
    """Full after a twentieth."""
    return np.clip(u * 20.0, 0.0, 1.0)


def early(u: Floats) -> Floats:
    """Fast at first, then settling, as a gas fills a room."""
    return np.asarray((1.0 - np.exp(-3.5 * u)) / (1.0 - np.exp(-3.5)))


def straight(u: Floats) -> Floats:
    """As water rises."""
    return u


def smoulder(u: Floats) -> Floats:
    """Slow, then faster: what glows feeds itself."""
    return np.asarray(u**1.5)


def late(u: Floats) -> Floats:
    """Nothing for a third, then more and more."""
    return np.asarray((np.clip(u - 0.35, 0.0, None) / 0.65) ** 2)


def puffs(u: Floats) -> Floats:
    """A hot pan: up at once, in clouds, ebbing away by itself."""
    clouds = 0.72 + 0.28 * np.sin(2.0 * np.pi * 5.0 * u)
    return np.asarray((1.0 - np.exp(-14.0 * u)) * clouds * (1.0 - 0.55 * u))


@dataclass(frozen=True)
class Effect:
    """What happens to one quantity: `by` is added at full strength, or it goes over `to` a fixed value."""

    shape: Shape
    by: float = 0.0
    to: float | None = None

    def apply(self, calm: Floats, strength: Floats) -> Floats:
        """The quantity under the hazard; strength 0 leaves it calm."""
        if self.to is None:
            return calm + self.by * strength
        return calm * (1.0 - strength) + self.to * strength


@dataclass(frozen=True)
class Hazard:
    """One kind of event. `word` is what alerts about it say; `is_real` is false for a look-alike."""

    name: str
    word: str
    is_real: bool
    fade_s: float
    effects: dict[str, Effect]
    cause: str
    note_en: str
    note_zh: str

    def strength(self, quantity: str, since_s: ArrayLike, duration_s: float) -> Floats:
        """0 before it begins, its shape while it lasts, fading after."""
        since = np.asarray(since_s, dtype=np.float64)
        shape = self.effects[quantity].shape
        during = shape(np.clip(since / duration_s, 0.0, 1.0))
        fading = np.exp(-np.clip(since - duration_s, 0.0, None) / self.fade_s)
        return np.asarray(np.where(since <= 0.0, 0.0, during * fading))

    def apply(self, quantity: str, calm: Floats, since_s: ArrayLike, duration_s: float) -> Floats:
        """The quantity `since_s` seconds after the onset; untouched when this hazard does not touch it."""
        effect = self.effects.get(quantity)
        return calm if effect is None else effect.apply(calm, self.strength(quantity, since_s, duration_s))


HAZARDS: dict[str, Hazard] = {
    hazard.name: hazard
    for hazard in (
        Hazard(
            "smouldering_fire",
            "fire",
            True,
            6.0,
            {
                "smoke": Effect(smoulder, by=9.0),
                "carbon_monoxide": Effect(smoulder, by=95.0),
                "kitchen_temperature": Effect(late, by=16.0),
                "room_temperature": Effect(late, by=10.0),
                "room_humidity": Effect(late, by=-6.0),
            },
            "smouldering",
            "A cloth was smouldering beside the stove. Put out, window opened.",
            "灶台旁抹布阴燃，已扑灭并开窗通风。",
        ),
        Hazard(
            "cooking",
            "fire",
            False,
            5.0,
            {
                "smoke": Effect(puffs, by=7.0),
                "carbon_monoxide": Effect(puffs, by=3.0),
                "kitchen_temperature": Effect(early, by=4.0),
                "room_humidity": Effect(puffs, by=22.0),
            },
            "cooking",
            "Peppers in a hot wok, extractor switched off. No fire.",
            "爆炒辣椒，油烟机没开，没有火情。",
        ),
        Hazard(
            "burst_pipe",
            "water",
            True,
            4.0,
            {
                "tap_flow": Effect(at_once, to=31.0),
                "mains_flow": Effect(at_once, by=29.0),
                "mains_pressure": Effect(at_once, by=-1.5),
            },
            "burst_pipe",
            "Hose under the sink had burst. Valve closed, water mopped up with the resident.",
            "水槽下软管爆裂，已关阀，和老人一起清理了积水。",
        ),
        Hazard(
            "gas_leak",
            "gas",
            True,
            6.0,
            {"gas": Effect(early, by=34.0)},
            "gas_leak",
            "Rubber hose at the cooker leaked. Valve closed, aired, gas company called.",
            "灶具橡胶软管漏气，已关阀通风并通知燃气公司。",
        ),
        Hazard(
            "freezer_failing",
            "freezer",
            True,
            12.0,
            {
                "compressor_power": Effect(at_once, to=0.0),
                "freezer_air": Effect(straight, by=17.0),
                "freezer_product": Effect(late, by=3.0),
            },
            "compressor",
            "Compressor's breaker had tripped. Goods moved to the other freezer.",
            "压缩机跳闸，货物已转移到另一台冷柜。",
        ),
        Hazard(
            "basement_flooding",
            "flooding",
            True,
            10.0,
            {
                "sump_level": Effect(straight, by=58.0),
                "sump_pump": Effect(at_once, to=1.0),
                "cellar_humidity": Effect(late, by=18.0),
                "cellar_temperature": Effect(late, by=-2.0),
            },
            "backflow",
            "Storm drain pressed back into the sump. Second pump brought.",
            "雨水管倒灌进集水井，已加一台泵抽排。",
        ),
        Hazard(
            "lift_shaking",
            "lift",
            True,
            5.0,
            {
                "lift_vibration": Effect(straight, by=7.0),
                "lift_current": Effect(straight, by=4.0),
                "lift_motor_temperature": Effect(late, by=9.0),
            },
            "guide_shoe",
            "Worn guide shoe. Lift taken out of service, maintenance called.",
            "导靴磨损，电梯已停用并通知维保。",
        ),
        Hazard(
            "hot_joint",
            "power",
            True,
            12.0,
            {"cable_temperature": Effect(straight, by=48.0)},
            "loose_joint",
            "Terminal in the feeder was loose and hot. Load reduced, electrician tightened it.",
            "进线端子松动发热，已降负荷并由电工紧固。",
        ),
    )
}
