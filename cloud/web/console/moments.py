"""Times as people read them: how long ago, with the exact time of the site's own zone beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cloud.web.console.wording import Wording
from models.clock import SECOND_NS

MINUTE, HOUR, DAY = 60, 3600, 86400


@cache
def zone_of(name: str) -> ZoneInfo:
    """The time zone of that name; UTC when it is unknown here."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def iso(at: int) -> str:
    """Nanoseconds UTC as ISO 8601 to the millisecond.

    >>> iso(1_735_689_600_250_000_000)
    '2025-01-01T00:00:00.250Z'
    """
    moment = datetime.fromtimestamp(at / SECOND_NS, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def exact(at: int, zone: str) -> str:
    """Date, time and zone, for hovering.

    >>> exact(1_735_689_600_000_000_000, "Asia/Shanghai")
    '2025-01-01 08:00:00 Asia/Shanghai'
    """
    return f"{datetime.fromtimestamp(at // SECOND_NS, zone_of(zone)):%Y-%m-%d %H:%M:%S} {zone}"


def clock_time(at: int, zone: str) -> str:
    """Time of day alone.

    >>> clock_time(1_735_689_600_000_000_000, "Asia/Shanghai")
    '08:00:00'
    """
    return f"{datetime.fromtimestamp(at // SECOND_NS, zone_of(zone)):%H:%M:%S}"


def day_and_time(at: int, zone: str, near: int, words: Wording) -> str:
    """A day of the past by its name, with its year where that is not the year of `near`.

    >>> from cloud.web.console.wording import wording
    >>> day_and_time(1_735_689_600_000_000_000, "Asia/Shanghai", 1_735_689_700_000_000_000, wording("en"))
    'Wednesday 1 January at 08:00'
    """
    local, about = (datetime.fromtimestamp(one // SECOND_NS, zone_of(zone)) for one in (at, near))
    return words.say(
        "moment.when" if local.year == about.year else "moment.when_year",
        weekday=words.word("weekday", str(local.isoweekday())),
        month=words.word("month", str(local.month)),
        day=local.day,
        year=local.year,
        time=f"{local:%H:%M}",
    )


def span(seconds: float, words: Wording) -> str:
    """A duration in at most two units; moments.js says the same of the same.

    >>> from cloud.web.console.wording import wording
    >>> span(3700, wording("en"))
    '1 h 1 min'
    """
    whole = max(0, int(seconds))
    if whole < MINUTE:
        return words.say("span.seconds", n=whole)
    if whole < HOUR:
        return words.say("span.minutes", n=whole // MINUTE)
    if whole < DAY:
        return words.say("span.hours", h=whole // HOUR, m=whole % HOUR // MINUTE)
    return words.say("span.days", d=whole // DAY, h=whole % DAY // HOUR)


def ago(at: int, now: int, words: Wording) -> str:
    """How long ago; ahead of now, how soon."""
    seconds = (now - at) // SECOND_NS
    if seconds < -5:
        return words.say("ago.ahead", span=span(-seconds, words))
    if seconds < 5:
        return words.say("ago.now")
    if seconds < MINUTE:
        return words.say("ago.seconds", n=seconds)
    if seconds < HOUR:
        return words.say("ago.minutes", n=seconds // MINUTE)
    if seconds < DAY:
        return words.say("ago.hours", n=seconds // HOUR)
    return words.say("ago.days", n=seconds // DAY)
