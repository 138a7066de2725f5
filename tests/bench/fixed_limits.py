"""The reference: limits as a competent engineer sets them from the norms, before seeing any reading.

Each is a `limit` detector whose trigger waits (ISA-18.2 on-delay). A factor moves all of them together
between what is ordinary and the limit, so that fixed limits can be compared with another detector at equal
recall.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.configuration import MonitorConfig, TriggerConfig
from models.wire.messages import ChannelEntry

FACTORS = (0.25, 0.35, 0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0)
HOLDS_S = 900.0  # an alert ends when it has been quiet for so long: no chatter at the limit


@dataclass(frozen=True, slots=True)
class FixedLimit:
    """Alert when the value lies beyond `limit` for `for_s`. `ordinary` is what an engineer takes for usual.

    A limit below `ordinary` is a lower one. States have `ordinary` none: the factor then moves the time.
    """

    channel: str
    limit: float
    for_s: float
    ordinary: float | None
    hazard: str
    source: str

    def at(self, factor: float) -> tuple[float, float]:
        """Limit and time under a factor; below 1 is touchier."""
        if self.ordinary is None:
            return self.limit, self.for_s * factor
        return self.ordinary + (self.limit - self.ordinary) * factor, self.for_s

    @property
    def is_lower(self) -> bool:
        return self.limit < (self.ordinary if self.ordinary is not None else 1.0)


FIXED_LIMITS = (
    FixedLimit("living-room/smoke", 2.3, 0, 0.1, "fire", "EN 14604: 0.1 dB/m"),
    FixedLimit("kitchen/smoke", 4.5, 0, 0.1, "fire", "EN 54-7: 0.2 dB/m, the insensitive end, for kitchens"),
    FixedLimit("living-room/temperature", 57, 0, 21, "fire", "EN 54-5 A1: 54-65 Cel"),
    FixedLimit("kitchen/temperature", 57, 0, 21, "fire", "EN 54-5 A1: 54-65 Cel"),
    FixedLimit("kitchen/co", 50, 4500, 2, "fire", "EN 50291: 50 ppm for 60-90 min"),
    FixedLimit("kitchen/co", 100, 1500, 2, "fire", "EN 50291: 100 ppm for 10-40 min"),
    FixedLimit("kitchen/co", 300, 120, 2, "fire", "EN 50291: 300 ppm within 3 min"),
    FixedLimit("kitchen/gas", 10, 0, 0.5, "gas", "EN 50194: 3-20 % LEL, usual setting"),
    FixedLimit("boiler/co", 50, 4500, 2, "gas", "EN 50291: 50 ppm for 60-90 min"),
    FixedLimit("boiler/co", 100, 1500, 2, "gas", "EN 50291: 100 ppm for 10-40 min"),
    FixedLimit("boiler/co", 300, 120, 2, "gas", "EN 50291: 300 ppm within 3 min"),
    FixedLimit(
        "boiler/temperature", 40, 300, 23, "fire", "upper limit for electrical equipment in plant rooms"
    ),
    FixedLimit("boiler/flow-temperature", 95, 60, 65, "water", "EN 12828: safety temperature limiter"),
    FixedLimit(
        "flat-101-water/flow", 1.0, 1800, None, "water", "DIN 3553 leak guard: uninterrupted for 30 min"
    ),
    FixedLimit(
        "flat-101-water/flow", 25, 120, 10, "water", "leak guard: largest flow of a dwelling, DIN 1988-300"
    ),
    FixedLimit("flat-302/flow", 1.0, 1800, None, "water", "DIN 3553 leak guard: uninterrupted for 30 min"),
    FixedLimit("mains/flow", 90, 300, 15, "water", "peak flow of 14 dwellings, DIN 1988-300"),
    FixedLimit("mains/pressure", 2.2, 120, 3.7, "water", "least pressure for the highest tap"),
    FixedLimit("sump/level", 32, 0, 13, "flooding", "EN 12056-4: alarm above the level that starts the pump"),
    FixedLimit(
        "sump/pump", 0.5, 900, None, "flooding", "EN 12056-4: runs for 15 min without emptying the sump"
    ),
    FixedLimit("sump/humidity", 85, 3600, 62, "flooding", "mould and condensation from 80-85 %RH"),
    FixedLimit(
        "cold-room/air", -15, 3600, -20, "freezer", "89/108/EEC: -18 Cel, up to -15 for short; defrost 25 min"
    ),
    FixedLimit("cold-room/product", -15, 600, -20, "freezer", "89/108/EEC: -18 Cel, up to -15 for short"),
    FixedLimit(
        "cold-room/power", 50, 3600, None, "freezer", "compressor at rest for an hour; a defrost takes 25 min"
    ),
    FixedLimit("lift/vibration", 4.5, 0, 1.2, "lift", "ISO 10816: border of unsatisfactory"),
    FixedLimit("lift/motor-temperature", 80, 300, 35, "lift", "winding of class B: 130 Cel at the hot spot"),
    FixedLimit("switch-room/cable-temperature", 70, 300, 35, "power", "IEC 60364-5-52: PVC, 70 Cel"),
    FixedLimit("flat-302/motion", 0.5, 43_200, None, "person", "inactivity alarms: 12 h"),
)
# Where the state that must not last is the low one.
_LOW_STATES = {"cold-room/power", "flat-302/motion"}


def limit_monitors(channels: Sequence[ChannelEntry], factor: float = 1.0) -> list[MonitorConfig]:
    """A monitor for each fixed limit whose channel is there."""
    known = {channel.name for channel in channels}
    return [
        _monitor(number, rule, factor) for number, rule in enumerate(FIXED_LIMITS) if rule.channel in known
    ]


def _monitor(number: int, rule: FixedLimit, factor: float) -> MonitorConfig:
    limit, for_s = rule.at(factor)
    is_lower = rule.channel in _LOW_STATES if rule.ordinary is None else rule.is_lower
    return MonitorConfig(
        name=f"limit-{number}",
        detector="limit",
        parameters={"low" if is_lower else "high": limit},
        channels=(rule.channel,),
        trigger=TriggerConfig(on=5, on_delay_s=for_s, off_delay_s=HOLDS_S),
        hazard=rule.hazard,
    )
