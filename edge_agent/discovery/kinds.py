"""What others call a quantity and its unit, in our words: kind, unit, and what such a channel can be."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quantity:
    """A kind of channel, with value = raw * scale + offset where the other side has another unit."""

    kind: str
    unit: str = ""
    resolution: float = 0.0
    minimum: float | None = None
    maximum: float | None = None
    scale: float = 1.0
    offset: float = 0.0


_STATE = {"resolution": 1.0, "minimum": 0.0, "maximum": 1.0}
_PERCENT = {"minimum": 0.0, "maximum": 100.0}
# By the words of Home Assistant's device classes, Zigbee2MQTT's properties, Tasmota's and IIO's keys.
_MEASURED: dict[str, Quantity] = {
    "temperature": Quantity("temperature", "Cel", 0.01, -55, 125),
    "humidity": Quantity("humidity", "%RH", 0.01, **_PERCENT),
    "soil_moisture": Quantity("moisture", "%", 0.1, **_PERCENT),
    "pressure": Quantity("air_pressure", "hPa", 0.1, 300, 1200),
    "battery": Quantity("battery", "%", 1.0, **_PERCENT),
    "linkquality": Quantity("link", "", 1.0, 0, 255),
    "signal": Quantity("link", "dBm", 1.0, -150, 0),
    "co2": Quantity("co2", "ppm", 1.0, 0, 10000),
    "co": Quantity("co", "ppm", 0.1, 0, 1000),
    "gas": Quantity("gas", "%LEL", 0.1, **_PERCENT),
    "voc": Quantity("voc", "ppb", 1.0, 0, 65535),
    "pm1": Quantity("pm1", "ug/m3", 1.0, 0, 2000),
    "pm25": Quantity("pm25", "ug/m3", 1.0, 0, 2000),
    "pm10": Quantity("pm10", "ug/m3", 1.0, 0, 3000),
    "no2": Quantity("no2", "ug/m3", 1.0, 0, 1000),
    "o3": Quantity("o3", "ug/m3", 1.0, 0, 1500),
    "light": Quantity("light", "lx", 1.0, 0, 200000),
    "sound": Quantity("sound", "dB", 0.1, 0, 160),
    "power": Quantity("power", "W", 0.1),
    "energy": Quantity("energy", "kWh", 0.001, 0),
    "current": Quantity("current", "A", 0.001),
    "voltage": Quantity("voltage", "V", 0.1, 0),
    "flow": Quantity("flow", "L/min", 0.01, 0),
    "water_level": Quantity("water_level", "cm", 0.1, 0),
    "fan": Quantity("fan", "rpm", 1.0, 0),
}
_STATES = (
    "door contact valve switch pump presence motion occupancy leak state",
    "smoke_alarm gas_alarm co_alarm",
)
# A wrong guess at the unit of what burns or poisons would set its limits wrong.
_NEVER_GUESSED = ("gas", "co")
_LONGEST_UNIT = 16
_ALIASES = {
    "device_temperature": "temperature", "temp": "temperature", "moisture": "soil_moisture",
    "humidityrelative": "humidity", "carbon_dioxide": "co2", "carbon_monoxide": "co", "eco2": "co2",
    "illuminance": "light", "illuminance_lux": "light", "atmospheric_pressure": "pressure",
    "volatile_organic_compounds": "voc", "volatile_organic_compounds_parts": "voc", "tvoc": "voc",
    "nitrogen_dioxide": "no2", "ozone": "o3", "sound_pressure": "sound", "noise": "sound",
    "signal_strength": "signal", "rssi": "signal", "apparentpower": "power", "total": "energy",
    "in": "voltage", "curr": "current", "water_flow": "flow", "volume_flow_rate": "flow",
}  # fmt: skip
_STATE_ALIASES = {
    "smoke": "smoke_alarm", "gas": "gas_alarm", "carbon_monoxide": "co_alarm", "co": "co_alarm",
    "water_leak": "leak", "moisture": "leak", "window": "contact", "opening": "contact",
    "garage_door": "door", "plug": "switch", "power": "switch", "lock": "door",
}  # fmt: skip
_UNITS = {
    "°C": ("Cel", 1.0, 0.0), "C": ("Cel", 1.0, 0.0), "K": ("Cel", 1.0, -273.15),
    "µg/m³": ("ug/m3", 1.0, 0.0), "μg/m³": ("ug/m3", 1.0, 0.0),
    "°F": ("Cel", 5 / 9, -160 / 9), "F": ("Cel", 5 / 9, -160 / 9),
    "mbar": ("hPa", 1.0, 0.0), "mA": ("A", 0.001, 0.0), "mV": ("V", 0.001, 0.0), "Wh": ("kWh", 0.001, 0.0),
    "m³": ("m3", 1.0, 0.0), "m³/h": ("m3/h", 1.0, 0.0), "lqi": ("", 1.0, 0.0), "lux": ("lx", 1.0, 0.0),
}  # fmt: skip


def quantity_of(word: str, unit: str = "", *, is_binary: bool = False) -> Quantity:
    """Our words for `word` in `unit`; a quantity that nobody knows keeps its own word as kind.

    >>> quantity_of("Temperature", "°F").offset, quantity_of("smoke", is_binary=True).kind
    (-17.77777777777778, 'smoke_alarm')
    """
    name = re.sub(r"[^a-z0-9]+", "_", word.lower()).strip("_")
    if is_binary:
        name = _STATE_ALIASES.get(name, name)
        return Quantity(name if name in " ".join(_STATES).split() else "state", **_STATE)
    known = _MEASURED.get(_ALIASES.get(name, name))
    ours, scale, offset = _UNITS.get(unit, (unit if len(unit) <= _LONGEST_UNIT else "", 1.0, 0.0))
    if known is None:
        return Quantity(name[:40] or "unknown", ours, 0.0, None, None, scale, offset)
    if not ours and known.kind in _NEVER_GUESSED:
        return Quantity(known.kind, "", known.resolution, None, None, scale, offset)
    if ours in ("", "%", known.unit):
        # Values are in the other side's own unit where it names none; then ours is the best guess.
        return Quantity(known.kind, known.unit, known.resolution, known.minimum, known.maximum, scale, offset)
    return _in_another_unit(known, ours, scale, offset)


def _in_another_unit(known: Quantity, unit: str, scale: float, offset: float) -> Quantity:
    """The same kind; its limits are in our unit and say nothing of another."""
    kind = "pressure" if known.kind == "air_pressure" and unit in ("bar", "psi") else known.kind
    return Quantity(kind, unit, 0.0, None, None, scale, offset)
