"""Numbers as people read them: always with a unit, never with more digits than were measured."""

from __future__ import annotations

import math

# SenML (RFC 8428) and UCUM symbols -> what stands on a display. Others are shown as they are.
SYMBOLS = {
    "Cel": "°C",
    "degF": "°F",
    "%RH": "% RH",
    "ug/m3": "µg/m³",
    "m3": "m³",
    "m3/h": "m³/h",
    "m/s2": "m/s²",
    "Ohm": "Ω",
    "lx": "lx",
    "1": "",
    "/": "",
}


def unit_symbol(unit: str) -> str:
    """What is printed for a unit.

    >>> unit_symbol("Cel"), unit_symbol("ppm")
    ('°C', 'ppm')
    """
    return SYMBOLS.get(unit, unit)


def number(value: float, digits: int = 2) -> str:
    """A number with at most `digits` decimals, thin groups of thousands, and a true minus.

    >>> number(41200.0), number(-0.125), number(21.0)
    ('41 200', '−0.12', '21')
    """
    if not math.isfinite(value):
        return "?"
    text = f"{abs(value):,.{digits}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    text = text.replace(",", " ") if abs(value) >= 10_000 else text.replace(",", "")
    return f"−{text}" if value < 0 and text != "0" else text


def measured(value: float | None, unit: str = "", digits: int = 2) -> str:
    """A value with its unit; an empty text for none.

    >>> measured(21.97, "Cel")
    '21.97 °C'
    """
    if value is None:
        return ""
    symbol = unit_symbol(unit)
    return f"{number(value, digits)} {symbol}" if symbol else number(value, digits)


def digits_for(resolution: float) -> int:
    """Decimals that a channel's resolution is worth.

    >>> digits_for(0.1), digits_for(1.0), digits_for(0.0)
    (1, 0, 2)
    """
    if resolution <= 0:
        return 2
    return min(4, max(0, math.ceil(-math.log10(resolution) - 1e-9)))
