"""A whole series, page by page, each reading once, however many share one time."""

from __future__ import annotations

import re
from typing import NamedTuple

from cloud.errors import InvalidError
from cloud.series.store import Readings, SeriesStore

MAX_LIMIT = 100_000
_CURSOR = re.compile(r"(-?\d{1,19})\.(\d{1,9})")


class Page(NamedTuple):
    """Some readings, and the cursor that goes on behind them; None when there are no more."""

    readings: Readings
    next: str | None


def read_page(
    store: SeriesStore, channel_id: int, start: int, end: int, limit: int, after: str | None = None
) -> Page:
    """At most `limit` readings of [start, end) behind the cursor `after`.

    InvalidError `after` for what is no cursor. A cursor stays good while the store compacts; readings that
    arrive late, before it, are not seen by going on.
    """
    limit = max(1, min(limit, MAX_LIMIT))
    skip = 0
    if after:
        found = _CURSOR.fullmatch(after)
        if not found:
            raise InvalidError("after", "not a cursor: use the `next` of the page before")
        start, skip = max(start, int(found[1])), int(found[2])
    readings = store.read(channel_id, start, end, limit=skip + limit + 1)
    rows = Readings(*(column[skip : skip + limit] for column in readings))
    if len(readings.times) <= skip + limit:
        return Page(rows, None)
    last = int(rows.times[-1])
    # How many at this very time are behind us: those of this page, and of earlier ones if it began there.
    passed = int((readings.times[: skip + limit] == last).sum())
    return Page(rows, f"{last}.{passed}")
