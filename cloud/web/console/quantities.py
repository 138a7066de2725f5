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


def number(value: float, digits: int | None = None) -> str:
    """A number with exactly `digits` decimals, or none given, with at most two; with a true minus.

    Ten thousand and more are grouped by thin spaces.

    >>> number(41200.0), number(-0.25), number(21.0), number(21.0, 1)
    ('41\u202f200', '−0.25', '21', '21.0')
    """
    if not math.isfinite(value):
        return "?"
    text = f"{abs(value):,.{2 if digits is None else digits}f}"
    if digits is None:
        text = text.rstrip("0").rstrip(".")
    text = text.replace(",", "\u202f" if abs(value) >= 10_000 else "")
    return f"−{text}" if value < 0 and text.strip("0.") else text


def measured(value: float | None, unit: str = "", digits: int | None = None) -> str:
    """A value with its unit; an empty text for none.

    >>> measured(21.97, "Cel")
    '21.97 °C'
    """
    if value is None:
        return ""
    symbol = unit_symbol(unit)
    return f"{number(value, digits)} {symbol}" if symbol else number(value, digits)


def digits_for(resolution: float) -> int | None:
    """Decimals that a channel's resolution is worth; None when it is not known.

    >>> digits_for(0.1), digits_for(1.0), digits_for(0.0)
    (1, 0, None)
    """
    if resolution <= 0:
        return None
    return min(4, max(0, math.ceil(-math.log10(resolution) - 1e-9)))


def digits_of(value: float, least: int | None) -> int | None:
    """Decimals for a value that somebody wrote down: all it has up to four, and `least` at least.

    >>> digits_of(0.5, 0), digits_of(300.0, 1)
    (1, 1)
    """
    if least is None:
        return None
    return max(least, next((digits for digits in range(4) if round(value, digits) == value), 4))
