"""Times at the border of the API: ISO 8601 outside, nanoseconds inside."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from models.clock import SECOND_NS

_MS_NS = 1_000_000


def iso(at_ns: int) -> str:
    """ISO 8601 in UTC to the millisecond.

    >>> iso(1_735_689_600_123_456_789)
    '2025-01-01T00:00:00.123Z'
    """
    seconds, rest = divmod(at_ns, SECOND_NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // _MS_NS:03d}Z"


def parse_moment(text: str) -> int:
    """Nanoseconds UTC from ISO 8601 (no zone: UTC), or from a whole number of s, ms or ns since 1970.

    The three are told apart by size: below 10^11 seconds, below 10^14 milliseconds, else nanoseconds.
    ValueError for anything else.

    >>> parse_moment("2025-01-01T00:00:00.5Z") == parse_moment("1735689600500")
    True
    """
    text = text.strip()
    if text.lstrip("-").isdecimal():
        number = int(text)
        if not -(1 << 63) <= number < 1 << 63:
            raise ValueError("a time out of range")
        if abs(number) < 10**11:
            return number * SECOND_NS
        return number * _MS_NS if abs(number) < 10**14 else number
    moment = datetime.fromisoformat(text)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * SECOND_NS + since.microseconds * 1000


# In answers: ns inside, ISO 8601 outside.
Moment = Annotated[
    int,
    PlainSerializer(iso, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
# In queries: any of the written forms, ns inside.
AskedMoment = Annotated[
    int,
    BeforeValidator(lambda given: parse_moment(given) if isinstance(given, str) else given),
    Field(description="ISO 8601, or s, ms or ns since 1970"),
]
