"""Times as devices and files write them, to ns UTC."""

from __future__ import annotations

from datetime import UTC, datetime

from models.clock import SECOND_NS

# Unix seconds stay below it for three thousand years, milliseconds have passed it since 1973.
_SECONDS_BELOW = 1e11
_MILLISECONDS_BELOW = 1e14
_MICROSECONDS_BELOW = 1e17
_BEYOND = 1 << 63  # ns that no reading's time can hold: the year 2262


def parse_stamp(value: object, layout: str | None = None) -> int:
    """ns UTC from unix s, ms, us or ns (told apart by size) or ISO 8601; a time without zone is UTC.

    `layout` is a strptime format for other texts. ValueError when it is no time, or one beyond the year 2262.

    >>> parse_stamp(1735689600), parse_stamp("2025-01-01T00:00:00Z"), parse_stamp("1735689600500")
    (1735689600000000000, 1735689600000000000, 1735689600500000000)
    """
    found = _unbounded(value, layout)
    if not -_BEYOND <= found < _BEYOND:
        raise ValueError(f"not a time: {value!r}")
    return found


def _unbounded(value: object, layout: str | None) -> int:
    if isinstance(value, str):
        text = value.strip()
        if layout:
            return _from_datetime(datetime.strptime(text, layout))  # noqa: DTZ007 (zone added below)
        if not _is_number(text):
            return _from_datetime(datetime.fromisoformat(text))
        value = int(text) if text.lstrip("-").isdigit() else float(text)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise ValueError(f"not a time: {value!r}")
    return _from_number(value)


def _from_number(value: int | float) -> int:
    size = abs(value)
    if size < _SECONDS_BELOW:
        return value * SECOND_NS if isinstance(value, int) else round(value * 1000) * 1_000_000
    if size < _MILLISECONDS_BELOW:
        return round(value * 1_000_000)
    if size < _MICROSECONDS_BELOW:
        return round(value * 1_000)
    if size >= _BEYOND:
        raise ValueError(f"not a time: {value!r}")
    return int(value)


def _from_datetime(moment: datetime) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86400 + delta.seconds) * SECOND_NS + delta.microseconds * 1000


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
